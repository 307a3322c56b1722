"""The ICE-lite agent of one transport (RFC 8445 section 2.5): answer checks, know the peer's addresses.

It never sends on its own; consent (RFC 7675) is the peer's business, and ours is to notice when its checks
stop. The peer's candidates are never looked at: an address is valid when a check signed with our password
came from it.
"""

from collections.abc import Hashable
from enum import Enum

from sfu.net import stun
from sfu.net.credentials import Credentials
from sfu.net.errors import StunError

MAX_ADDRESSES = 8
"""Validated addresses kept per transport; mediasoup keeps as many."""
DISCONNECTED_AFTER_S = 10.0
"""Silence before DISCONNECTED; LiveKit's value."""
FAILED_AFTER_S = 5.0
"""Further silence before FAILED; LiveKit's value."""

SILENT_AFTER_S = 4.0
"""Silence of the selected address after which a check without nomination moves the selection. Firefox's
consent checks (one in 4 to 6 s) carry no USE-CANDIDATE, so a rebound NAT shows up this way; Chromium's come
every 2.5 s."""
_SWITCH_BURST = 4.0
_SWITCHES_PER_S = 2.0
"""Nominations may move the selection four times at once, then twice a second; a refused one comes again
with the next check."""


class IceState(Enum):
    NEW = "new"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    FAILED = "failed"


class IceLite:
    """Answers checks and tracks the peer's addresses. After each :meth:`receive`, read the attributes."""

    __slots__ = (
        "_addresses",
        "_confirmed",
        "_disconnected_after_s",
        "_failed_after_s",
        "_key",
        "_last",
        "_nominated",
        "_previous",
        "_switched_at",
        "_switches",
        "added",
        "created_at",
        "credentials",
        "evicted",
        "last_heard",
        "rejected",
        "selected",
    )

    def __init__(
        self,
        credentials: Credentials,
        now: float,
        *,
        disconnected_after_s: float = DISCONNECTED_AFTER_S,
        failed_after_s: float = FAILED_AFTER_S,
    ) -> None:
        self.credentials = credentials
        self.created_at = now
        self.last_heard: float | None = None
        """When the last valid check came, from whatever address."""
        self.selected: Hashable | None = None
        """Where to send: the address nominated last, or before any nomination the one heard last."""
        self.added: Hashable | None = None
        """Address that the last :meth:`receive` validated for the first time."""
        self.evicted: Hashable | None = None
        """Address that the last :meth:`receive` dropped to stay within MAX_ADDRESSES."""
        self.rejected = 0
        """Datagrams that were no valid check of ours."""
        self._key = credentials.pwd.encode()
        self._last: tuple[stun.Message, Hashable, str, int] | None = None
        """The last good check under the present credentials that came from the selected address, and that address."""
        self._previous: Credentials | None = None
        self._confirmed = False
        self._nominated = False
        self._addresses: dict[Hashable, float] = {}
        self._switches = _SWITCH_BURST
        self._switched_at = now
        self._disconnected_after_s = disconnected_after_s
        self._failed_after_s = failed_after_s

    @property
    def ufrags(self) -> tuple[str, ...]:
        """User fragments that checks may carry now, the current one first."""
        if self._previous is None:
            return (self.credentials.ufrag,)
        return (self.credentials.ufrag, self._previous.ufrag)

    @property
    def addresses(self) -> tuple[Hashable, ...]:
        """Validated addresses, the one heard longest ago first."""
        return tuple(self._addresses)

    def valid(self, key: Hashable) -> bool:
        """Whether DTLS and media from this address may be believed."""
        return key in self._addresses

    def silent(self, key: Hashable | None, now: float) -> bool:
        """Whether an address has not been heard from for so long that another may take its place."""
        heard_at = self._addresses.get(key)
        return heard_at is None or now - heard_at >= SILENT_AFTER_S

    def state(self, now: float) -> IceState:
        if self.last_heard is None:
            return IceState.NEW
        silence = now - self.last_heard
        if silence < self._disconnected_after_s:
            return IceState.CONNECTED
        if silence < self._disconnected_after_s + self._failed_after_s:
            return IceState.DISCONNECTED
        return IceState.FAILED

    def restart(self, credentials: Credentials) -> None:
        """Take new credentials; the last ones the peer has used stay good until a check with the new ones."""
        if self._confirmed or self._previous is None:
            self._previous = self.credentials
        self.credentials = credentials
        self._key = credentials.pwd.encode()
        self._last = None
        self._confirmed = False

    def forget(self, key: Hashable) -> None:
        """Drop an address whose connection is gone (TCP)."""
        self._addresses.pop(key, None)
        if self.selected == key:
            self._nominated = False
            self.selected = next(reversed(self._addresses), None)

    def receive(self, data: bytes, key: Hashable, host: str, port: int, now: float) -> bytes | None:
        """Take a STUN datagram; return the response to send back to that address, or None to ignore it.

        ``key`` names the address (and socket) for us; ``host`` and ``port`` go into the response. What
        isn't signed with our password gets no answer, so a forged source address gains nothing.
        """
        self.added = self.evicted = None
        try:
            request = stun.parse(data)
        except StunError:
            self.rejected += 1
            return None
        password = self._authenticate(request)
        if password is None:
            self.rejected += 1
            return None
        transaction_id = request.transaction_id
        if request.unknown:
            return stun.error_response(transaction_id, stun.UNKNOWN_ATTRIBUTE, password, request.unknown)
        if stun.ICE_CONTROLLED in request.attributes:
            # A lite agent is always controlled, whatever the tie-breakers say (RFC 8445 section 6.1.1).
            return stun.error_response(transaction_id, stun.ROLE_CONFLICT, password)
        if password is self._key and not self._confirmed:
            self._confirmed = True
            self._previous = None
            self._nominated = False
        self._select(key, request.use_candidate, now)
        self._remember(key, now)
        if key == self.selected and password is self._key:
            self._last = request, key, host, port
        return stun.success_response(transaction_id, host, port, password)

    def again(self, data: bytes, key: Hashable, now: float) -> bytes | None:
        """The response to a check like the one before, from the address in use; None for any other datagram.

        Those are for :meth:`receive`, which would say the same to this one. Consent checks are of this kind.
        """
        if self._last is None:
            return None
        request, last_key, host, port = self._last
        if not key == last_key == self.selected or not request.repeated_by(data, self._key):
            return None
        self._nominated |= request.use_candidate
        self._remember(key, now)
        return stun.success_response(data[8:20], host, port, self._key)

    def _authenticate(self, request: stun.Message) -> bytes | None:
        """Return the password that signed a binding request for us."""
        username = request.attributes.get(stun.USERNAME)
        if request.type != stun.BINDING_REQUEST or username is None or len(username) > stun.MAX_USERNAME_SIZE:
            return None
        ufrag, colon, _ = username.partition(b":")
        if not colon:
            return None
        if ufrag == self.credentials.ufrag.encode():
            return self._key if request.signed_by(self._key) else None
        if self._previous is not None and ufrag == self._previous.ufrag.encode():
            key = self._previous.pwd.encode()
            return key if request.signed_by(key) else None
        return None

    def _select(self, key: Hashable, nominated: bool, now: float) -> None:
        if key == self.selected:
            self._nominated |= nominated
        elif not self._nominated:
            self.selected, self._nominated = key, nominated
        elif self.silent(self.selected, now) or (nominated and self._may_switch(now)):
            self.selected = key

    def _may_switch(self, now: float) -> bool:
        self._switches = min(_SWITCH_BURST, self._switches + (now - self._switched_at) * _SWITCHES_PER_S)
        self._switched_at = now
        if self._switches < 1.0:
            return False
        self._switches -= 1.0
        return True

    def _remember(self, key: Hashable, now: float) -> None:
        """Move an address to the fresh end; drop the stalest one that isn't selected when there are too
        many."""
        self.last_heard = now
        if self._addresses.pop(key, None) is None:
            self.added = key
            if len(self._addresses) >= MAX_ADDRESSES:
                self.evicted = next(one for one in self._addresses if one != self.selected)
                del self._addresses[self.evicted]
        self._addresses[key] = now
