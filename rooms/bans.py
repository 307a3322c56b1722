"""Who may not come in, whatever their token says: tokens revoked by a removal, and bans by identity or address.

Kept in memory, where every join is checked; a BanKeeper makes it outlive the process.
"""

import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from auth.grants import Claims

from .errors import Banned, BanNotFound, InvalidRequest, LimitExceeded, NotKept, Revoked
from .ids import BAN, Ids
from .ports import Clock

MAX_BANS = 10_000
MAX_REVOCATIONS = 100_000
"""More than these, and the oldest are forgotten."""
KEEP_REVOCATIONS_S = 90 * 24 * 3600.0
"""How long a removal is remembered: tokens that were made before it are expected to have expired by then."""
MAX_REASON_CHARS = 256

Key = TypeVar("Key")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Ban:
    """Somebody who may not come in: an identity or all addresses of a network. Times are seconds since the epoch."""

    id: str
    room: str
    """The room that it is for; empty for all."""
    identity: str
    """Empty if it is a ban of addresses."""
    network: str
    """CIDR, such as ``203.0.113.0/24``; empty if it is a ban of an identity."""
    reason: str
    """For whoever reads the list; the banned are not told."""
    created_at: float
    expires_at: float | None
    """None for never."""

    def concerns(self, room: str, identity: str, address: str, now: float) -> bool:
        """Whether it keeps this client out of this room."""
        if self.room not in ("", room) or (self.expires_at is not None and now >= self.expires_at):
            return False
        if self.identity:
            return self.identity == identity
        found = parse_address(address)
        return found is not None and found in ipaddress.ip_network(self.network)


@dataclass(frozen=True, slots=True)
class Revocation:
    """Tokens of an identity for a room that were issued before a time (seconds since the epoch) are worth nothing."""

    room: str
    identity: str
    before: float


class BanKeeper(Protocol):
    """Writes down what is to outlive the process. Nothing here waits or raises."""

    def ban_added(self, ban: Ban) -> None: ...

    def ban_removed(self, ban_id: str) -> None: ...

    def revoked(self, revocation: Revocation) -> None: ...

    def when_kept(self, then: Callable[[NotKept | None], None]) -> None:
        """Call ``then`` once all that was handed over is safe, or can't be made so; at once where nothing waits."""


class NoKeeper:
    """What is forgotten with the process."""

    def ban_added(self, ban: Ban) -> None: ...

    def ban_removed(self, ban_id: str) -> None: ...

    def revoked(self, revocation: Revocation) -> None: ...

    def when_kept(self, then: Callable[[NotKept | None], None]) -> None:
        """There is nothing to wait for."""
        then(None)


class Bans:
    """All bans and revocations of a server."""

    def __init__(self, clock: Clock, ids: Ids, keeper: BanKeeper | None = None) -> None:
        self._clock = clock
        self._ids = ids
        self._keeper = keeper or NoKeeper()
        self._bans: dict[str, Ban] = {}
        self._identities: dict[str, dict[str, Ban]] = {}
        self._networks: dict[Network, dict[str, Ban]] = {}
        self._prefixes: Counter[tuple[int, int]] = Counter()
        """Version and length of the prefixes in use, so that an address is looked up, not compared with each."""
        self._revocations: dict[tuple[str, str], float] = {}
        self.when_kept = self._keeper.when_kept
        """Who asked for a ban or a removal is told that it is done when it is sure to outlive the process."""

    def restore(self, bans: list[Ban], revocations: list[Revocation]) -> None:
        """Take in what was written down."""
        for ban in bans[-MAX_BANS:]:
            self._enter(ban)
        for revocation in revocations[-MAX_REVOCATIONS:]:
            self._revocations[revocation.room, revocation.identity] = revocation.before

    # --- at the door ---

    def check(self, room: str, claims: Claims, identity: str, address: str) -> None:
        """Raise Banned or Revoked for whom the room is closed.

        ``claims`` are the token's; ``identity`` is what its holder is called in the room, which for a companion
        is more than the token says. A token that doesn't say when it was issued is as old as can be.
        """
        for who in {claims.identity, identity}:
            before = self._revocations.get((room, who))
            if before is not None and (claims.not_before or 0.0) < before:
                raise Revoked("the token was revoked when its holder was removed from the room")
        now = self._clock.wall()
        known = [ban for who in {claims.identity, identity} for ban in self._identities.get(who, {}).values()]
        for ban in (*known, *self._of_address(address)):
            if any(ban.concerns(room, who, address, now) for who in (claims.identity, identity)):
                raise Banned("banned from the room" if ban.room else "banned")

    def _of_address(self, text: str) -> list[Ban]:
        address = parse_address(text) if self._networks else None
        if address is None:
            return []
        prefixes = [length for version, length in self._prefixes if version == address.version]
        networks = (ipaddress.ip_network((address, length), strict=False) for length in prefixes)
        return [ban for network in networks for ban in self._networks.get(network, {}).values()]

    # --- revoking ---

    def revoke(self, room: str, identity: str, before: float | None = None) -> None:
        """Refuse tokens that were issued before this time, or now. What was revoked before stays revoked."""
        key = room, identity
        before = max(before or self._clock.wall(), self._revocations.pop(key, 0.0))
        self._revocations[key] = before
        if len(self._revocations) > MAX_REVOCATIONS:
            del self._revocations[next(iter(self._revocations))]
        self._keeper.revoked(Revocation(room, identity, before))

    # --- banning ---

    def add(
        self,
        *,
        room: str = "",
        identity: str = "",
        network: str = "",
        reason: str = "",
        duration_s: float | None = None,
    ) -> Ban:
        """Ban an identity or a network, from one room or all. Raises InvalidRequest or LimitExceeded."""
        if bool(identity) == bool(network):
            raise InvalidRequest("a ban is of an identity or of addresses")
        if duration_s is not None and not 0 < duration_s < 2**40:
            raise InvalidRequest("a ban lasts for more than 0 seconds")
        if len(reason) > MAX_REASON_CHARS:
            raise LimitExceeded(f"a reason may have {MAX_REASON_CHARS} characters")
        self._forget_expired()
        if len(self._bans) >= MAX_BANS:
            raise LimitExceeded(f"there may be {MAX_BANS} bans")
        now = self._clock.wall()
        ban = Ban(
            id=self._ids.make(BAN),
            room=room,
            identity=identity,
            network=str(_parse_network(network)) if network else "",
            reason=reason,
            created_at=now,
            expires_at=None if duration_s is None else now + duration_s,
        )
        self._enter(ban)
        self._keeper.ban_added(ban)
        return ban

    def remove(self, ban_id: str) -> None:
        """Lift a ban. Raises BanNotFound."""
        self._forget_expired()
        if ban_id not in self._bans:
            raise BanNotFound
        self._drop(ban_id)

    def all(self, room: str | None = None) -> list[Ban]:
        """Bans that hold, the oldest first; those of a room, if one is given (all rooms' are not among them)."""
        self._forget_expired()
        return [ban for ban in self._bans.values() if room is None or ban.room == room]

    def get(self, ban_id: str) -> Ban:
        """One of them. Raises BanNotFound."""
        self._forget_expired()
        if ban_id not in self._bans:
            raise BanNotFound
        return self._bans[ban_id]

    def _enter(self, ban: Ban) -> None:
        self._bans[ban.id] = ban
        if ban.identity:
            self._identities.setdefault(ban.identity, {})[ban.id] = ban
            return
        network = _parse_network(ban.network)
        self._networks.setdefault(network, {})[ban.id] = ban
        self._prefixes[network.version, network.prefixlen] += 1

    def _drop(self, ban_id: str) -> None:
        ban = self._bans.pop(ban_id)
        self._keeper.ban_removed(ban_id)
        if ban.identity:
            _remove(self._identities, ban.identity, ban_id)
            return
        network = _parse_network(ban.network)
        _remove(self._networks, network, ban_id)
        prefix = network.version, network.prefixlen
        self._prefixes[prefix] -= 1
        if not self._prefixes[prefix]:
            del self._prefixes[prefix]

    def _forget_expired(self) -> None:
        now = self._clock.wall()
        expired = [
            ban.id for ban in self._bans.values() if ban.expires_at is not None and ban.expires_at <= now
        ]
        for ban_id in expired:
            self._drop(ban_id)


def _remove(index: dict[Key, dict[str, Ban]], key: Key, ban_id: str) -> None:
    del index[key][ban_id]
    if not index[key]:
        del index[key]


def parse_address(text: str) -> Address | None:
    """An IP address, an IPv4 one in IPv6's clothes as what it is; None for anything else."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _parse_network(text: str) -> Network:
    """One address is a network of its own. Raises InvalidRequest."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise InvalidRequest("should be an IP address or a network such as 203.0.113.0/24") from None
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
        return ipaddress.ip_network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network
