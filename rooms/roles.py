"""Named roles: sets of rights that a token names instead of spelling them out.

A token names its role in the attribute :data:`ROLE`, which every SDK can write and every participant can read. Nobody
can change it for themselves: attributes that begin with :data:`RESERVED` are the server's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

from auth.grants import Claims, VideoGrant

from .errors import NotAllowed
from .permissions import permission_of

RESERVED = "hubbub."
"""How attributes begin that participants can't set."""
ROLE = RESERVED + "role"
"""The attribute that names the role."""


@dataclass(frozen=True, slots=True)
class Role:
    """What its holders may do in a room; names and meaning are those of VideoGrant, and so are the defaults.

    A role is all of it: what a token grants of these counts for nothing.
    """

    name: str
    room_admin: bool = False
    can_publish: bool = True
    can_publish_sources: tuple[str, ...] = ()
    can_subscribe: bool = True
    can_publish_data: bool | None = None
    """Absent means the same as can_publish."""
    can_update_own_metadata: bool = False
    can_subscribe_metrics: bool = False
    can_manage_agent_session: bool = False
    hidden: bool = False
    recorder: bool = False

    def applied(self, grant: VideoGrant) -> VideoGrant:
        """A grant with the role's rights instead of its own."""
        rights = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "name"}
        return replace(grant, **rights)

    def describes(self, grant: VideoGrant) -> bool:
        """Whether a grant allows just what the role does."""
        own = self.applied(grant)
        return own.room_admin == grant.room_admin and permission_of(own) == permission_of(grant)


PREDEFINED = (
    Role("host", room_admin=True, can_update_own_metadata=True),
    Role("speaker"),
    Role("attendee", can_publish=False, can_publish_data=True),
)
"""Roles that are there unless the configuration has others of these names."""
HOST = "host"
"""The role that is passed on when a host passes it on."""
SPEAKER = "speaker"
"""What a host is after that."""


SHOWN_CHARS = 64
"""How much of a name that means nothing is repeated."""


def predefined(name: str) -> Role | None:
    """The role that has this name unless the configuration says otherwise."""
    return next((role for role in PREDEFINED if role.name == name), None)


RoleNamed = Callable[[str], Role | None]
"""Knows the roles."""


def effective(claims: Claims, role_named: RoleNamed) -> Claims:
    """Claims with what their role grants instead of the token's own grant. Raises NotAllowed when there is no such."""
    name = claims.attributes.get(ROLE, "")
    if not name or claims.video is None:
        return claims
    role = role_named(name)
    if role is None:
        raise NotAllowed(f"there is no role {name[:SHOWN_CHARS]}")
    return replace(claims, video=role.applied(claims.video))


def takes_liberties(wished: Mapping[str, str], own: Mapping[str, str]) -> bool:
    """Whether a participant wishes to change an attribute that is the server's."""
    return any(key.startswith(RESERVED) and own.get(key, "") != text for key, text in wished.items())
