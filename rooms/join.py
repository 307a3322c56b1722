"""A client's wish to join or resume, as the signalling door understood it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from livekit.protocol import models, rtc

from auth.grants import Claims, VideoGrant

from .config import RoomConfig
from .errors import InvalidJoin, LimitExceeded, NotAllowed
from .roles import effective, takes_liberties

NO_PERMISSION = "no permissions to access the room"
"""What LiveKit 1.13.5 says to somebody who comes with metadata, or to publish, and may not (recorded)."""


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """One request of ``/rtc`` or ``/rtc/v1``, with a verified token."""

    claims: Claims
    client: models.ClientInfo = field(default_factory=models.ClientInfo)
    single_pc: bool = True
    """One peer connection (``/rtc/v1``), not two (``/rtc``)."""
    auto_subscribe: bool = True
    auto_subscribe_data_track: bool = False
    adaptive_stream: bool = False
    """Begin with the smallest layer until the client tells the size that it shows."""
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    add_tracks: tuple[rtc.AddTrackRequest, ...] = ()
    publisher_offer: rtc.SessionDescription | None = None
    reconnect: bool = False
    participant_sid: str = ""
    """With ``reconnect``: the session to resume; old clients leave it out."""
    reconnect_reason: int = 0
    publish: str = ""
    """Names a companion that only publishes, such as a screen share of its own (v0 ``publish=``)."""
    disable_ice_lite: bool = False
    """Accepted and ignored: media is ICE-lite with every client."""

    @property
    def grant(self) -> VideoGrant:
        """The token's video grant. Raises InvalidJoin where there is none."""
        if self.claims.video is None:
            raise InvalidJoin("the token grants nothing in rooms")
        return self.claims.video

    @property
    def room_name(self) -> str:
        """The room that the token is for. Raises InvalidJoin where there is none."""
        if not self.grant.room:
            raise InvalidJoin("no room name")
        return self.grant.room


def with_role(request: JoinRequest, config: RoomConfig) -> JoinRequest:
    """The request with what its token's role grants, if it names one. Raises NotAllowed."""
    claims = effective(request.claims, config.role)
    return request if claims is request.claims else replace(request, claims=claims)


def admitted_claims(request: JoinRequest, config: RoomConfig) -> Claims:
    """The token's claims with everything the request adds to them; the role's grants are in the request already.

    The request's metadata replaces the token's and its attributes are laid over them; an empty value is no
    deletion here. A companion has the identity ``<identity>#<publish>`` and may not subscribe.
    Raises InvalidJoin, NotAllowed or LimitExceeded.
    """
    if not request.claims.identity:
        raise InvalidJoin("identity cannot be empty")
    claims, grant = request.claims, request.grant
    if takes_liberties(request.attributes, claims.attributes):
        raise NotAllowed("attributes that begin with hubbub. are the server's")
    if (request.metadata or request.attributes) and not grant.can_update_own_metadata:
        raise NotAllowed(NO_PERMISSION)
    if request.publish:
        if not grant.may_publish():
            raise NotAllowed(NO_PERMISSION)
        grant = replace(grant, can_subscribe=False)
        claims = replace(claims, identity=f"{claims.identity}#{request.publish}", video=grant)
    if _size(claims.identity) and len(claims.identity) > config.max_identity_chars:
        raise InvalidJoin(f"identity is longer than {config.max_identity_chars} characters")
    if _size(grant.room) and len(grant.room) > config.max_room_name_chars:
        raise InvalidJoin(f"room name is longer than {config.max_room_name_chars} characters")
    claims = replace(
        claims,
        metadata=request.metadata or claims.metadata,
        attributes={**claims.attributes, **{key: text for key, text in request.attributes.items() if text}},
    )
    check_limits(claims.name, claims.metadata, claims.attributes, config)
    return claims


def check_limits(name: str, metadata: str, attributes: Mapping[str, str], config: RoomConfig) -> None:
    """Raise LimitExceeded when something that every other participant is told is too large."""
    if _size(name) and len(name) > config.max_name_chars:
        raise LimitExceeded("exceeds name length limit")
    if _size(metadata) > config.max_metadata_bytes:
        raise LimitExceeded("exceeds metadata size limit")
    if sum(_size(key) + _size(text) for key, text in attributes.items()) > config.max_attributes_bytes:
        raise LimitExceeded("exceeds attributes size limit")


def _size(text: str) -> int:
    """Bytes of a text. JSON can carry half of a surrogate pair, which no protobuf string can."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise InvalidJoin("not a valid text") from None
