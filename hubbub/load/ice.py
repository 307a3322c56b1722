"""The controlling side of ICE for one socket (RFC 8445): find the server, nominate, keep consent.

Sans-IO: the owner sends what :meth:`IceClient.due` returns and gives what arrives to :meth:`IceClient.receive`. A
candidate that answers is checked again with USE-CANDIDATE and is the selected one when it answers that.
"""

from collections.abc import Callable, Iterable
from typing import Final

from hubbub.load.sdp import MAX_CANDIDATES, Candidate
from sfu.net import stun
from sfu.net.errors import StunError

Address = tuple[str, int]

CHECK_INTERVAL_S: Final = 0.1
CONSENT_INTERVAL_S: Final = 2.5
"""Half of what RFC 7675 section 5.1 has, like libwebrtc."""
CONSENT_TIMEOUT_S: Final = 30.0
MAX_OUTSTANDING: Final = 64
"""Checks whose answers are waited for; the oldest is given up beyond that."""
_PRIORITY: Final = 110 << 24 | 65535 << 8 | 255
"""Of a peer-reflexive candidate (RFC 8445 section 5.1.2.1)."""


class IceClient:
    """One component of one stream. ``new_id`` makes transaction ids of 12 bytes."""

    def __init__(self, ufrag: str, pwd: str, tie_breaker: int, new_id: Callable[[], bytes]) -> None:
        self.selected: Address | None = None
        self.confirmed_at = 0.0
        """When the selected address last answered."""
        self._ufrag = ufrag
        self._key = pwd.encode()
        self._tie_breaker = tie_breaker
        self._new_id = new_id
        self._username = ""
        self._remote_key = b""
        self._candidates: list[Candidate] = []
        self._nominee: Address | None = None
        self._outstanding: dict[bytes, tuple[Address, bool]] = {}
        self._check_at = 0.0

    def set_remote(self, ufrag: str, pwd: str) -> None:
        """Take the server's credentials from its answer; checks begin."""
        self._username = f"{ufrag}:{self._ufrag}"
        self._remote_key = pwd.encode()

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Try further addresses, the one of highest priority first."""
        known = set(self._candidates)
        fresh = [candidate for candidate in candidates if candidate not in known]
        merged = sorted(self._candidates + fresh, key=lambda one: -one.priority)
        self._candidates = merged[:MAX_CANDIDATES]
        if fresh and self.selected is None:
            self._check_at = 0.0

    def due(self, now: float) -> list[tuple[bytes, Address]]:
        """Checks to send now."""
        if not self._username or now < self._check_at:
            return []
        if self.selected is not None:
            self._check_at = now + CONSENT_INTERVAL_S
            return [(self._check(self.selected, nominate=True), self.selected)]
        self._check_at = now + CHECK_INTERVAL_S
        if self._nominee is not None:
            return [(self._check(self._nominee, nominate=True), self._nominee)]
        addresses = [(one.host, one.port) for one in self._candidates]
        return [(self._check(address, nominate=False), address) for address in addresses]

    def expired(self, now: float) -> bool:
        """Whether the server has stopped answering."""
        return self.selected is not None and now - self.confirmed_at > CONSENT_TIMEOUT_S

    def receive(self, datagram: bytes, source: Address, now: float) -> bytes | None:
        """Take a STUN message; gives the answer to send to where it came from, if it is a valid request."""
        try:
            message = stun.parse(datagram)
        except StunError:
            return None
        if message.type == stun.BINDING_REQUEST:
            return self._answer(message, source)
        if message.type == stun.BINDING_SUCCESS and message.signed_by(self._remote_key):
            self._confirm(message.transaction_id, now)
        return None

    def _answer(self, message: stun.Message, source: Address) -> bytes | None:
        ours, _, _ = message.username.partition(":")
        if ours != self._ufrag or not message.signed_by(self._key):
            return None
        return stun.success_response(message.transaction_id, *source, key=self._key)

    def _confirm(self, transaction_id: bytes, now: float) -> None:
        address, nominated = self._outstanding.pop(transaction_id, (None, False))
        if address is None:
            return
        if self.selected is None:
            if nominated:
                self.selected = address
            elif self._nominee is None:
                self._nominee = address
                self._check_at = now
        if address == self.selected:
            self.confirmed_at = now

    def _check(self, address: Address, *, nominate: bool) -> bytes:
        transaction_id = self._new_id()
        if len(self._outstanding) >= MAX_OUTSTANDING:
            self._outstanding.pop(next(iter(self._outstanding)))
        self._outstanding[transaction_id] = (address, nominate)
        return stun.binding_request(
            transaction_id,
            username=self._username,
            key=self._remote_key,
            priority=_PRIORITY,
            controlling=self._tie_breaker,
            use_candidate=nominate,
        )
