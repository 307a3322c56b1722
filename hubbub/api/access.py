"""Who asks, and what they may do: claims from a request's token, and the checks of grants.

Where the token stands and how a bad one is refused is as at the signalling door (``signaling.access``). A request
without a token is nobody's, and refused by the first check that it meets, as LiveKit does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from auth.grants import Claims, VideoGrant
from auth.keys import KeyRing
from auth.tokens import verify
from rooms.roles import RoleNamed, effective, predefined
from signaling.access import token_of


class PermissionsDenied(Exception):
    """The caller has no token, or one that doesn't reach so far."""

    def __init__(self) -> None:
        super().__init__("permissions denied")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever makes a request. Each ``require_…`` raises PermissionsDenied unless the token grants it."""

    claims: Claims | None = None
    """None without a token."""

    @property
    def grant(self) -> VideoGrant:
        """What the token grants in rooms; nothing where there is none."""
        return (self.claims and self.claims.video) or VideoGrant()

    @property
    def administers(self) -> bool:
        """Whether the token grants anything besides taking part in a room, which is all that users' tokens do."""
        grant = self.grant
        in_rooms = grant.room_create or grant.room_list or grant.room_admin or grant.room_record
        return in_rooms or grant.ingress_admin or grant.agent or bool(self.claims and self.claims.services)

    def require(self, granted: bool) -> None:
        """Raise PermissionsDenied unless what the token says grants it."""
        if not granted:
            raise PermissionsDenied

    def require_token(self) -> Claims:
        """Any valid token."""
        if self.claims is None:
            raise PermissionsDenied
        return self.claims

    def require_room_create(self) -> None:
        """Creating and deleting rooms."""
        self.require(self.grant.room_create)

    def require_room_list(self) -> None:
        """Listing rooms."""
        self.require(self.grant.room_list)

    def require_room_admin(self, room: str) -> None:
        """Administering this very room; there are no wildcards."""
        self.require(self.grant.may_administer(room))

    def require_destination(self, room: str, destination: str) -> None:
        """Taking participants of a room that one administers to another one."""
        self.require(self.grant.may_administer(room) and self.grant.destination_room == destination != "")

    def require_room_record(self) -> None:
        """Starting and stopping egress."""
        self.require(self.grant.room_record)

    def require_ingress_admin(self) -> None:
        """Creating and deleting ingress."""
        self.require(self.grant.ingress_admin)

    def require_agent(self) -> None:
        """Registering as an agent worker."""
        self.require(self.grant.agent)

    def require_sip(self, *rights: str) -> None:
        """One of these rights (``admin``, ``call``) in the ``sip`` claim."""
        sip = self.claims.services.get("sip", {}) if self.claims else {}
        self.require(any(sip.get(right) is True for right in rights))


def caller(
    headers: Mapping[str, str],
    query: Mapping[str, str],
    keys: KeyRing,
    clock: Callable[[], float],
    role_named: RoleNamed = predefined,
) -> Caller:
    """Whoever sent these headers and this query, with the rights of their role if the token names one.

    Raises ``signaling.errors.Unauthorized`` for a header that is no bearer's, ``auth.errors.AuthError`` for a
    token that isn't to be believed, and ``rooms.errors.NotAllowed`` for a role that there isn't.
    """
    token = token_of(headers, query)
    return Caller(effective(verify(token, keys, clock()), role_named) if token else None)
