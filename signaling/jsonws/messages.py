"""What clients may say. Every message is checked strictly: types as written, no unknown fields, bounded texts."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rooms.control import ACTIONS

from .errors import Refused

Id = Annotated[str, StringConstraints(max_length=64)] | Annotated[int, Field(ge=-(2**53), le=2**53)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Sid = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Cid = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Text = Annotated[str, StringConstraints(max_length=512 * 1024)]
Attributes = Annotated[dict[str, str], Field(max_length=1000)]
Share = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False, strict=False)]
Quality = Literal["off", "low", "medium", "high"]
MAX_DATA_CHARS = 88_000
MAX_RECEIVERS = 1000


class Request(BaseModel):
    """Any of them. ``room_id`` may be left out by who is in one room only."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: str
    id: Id | None = None
    room_id: Name | None = None


class JoinRoom(Request):
    """Come into the room of the token; one of its own, or the connection's."""

    type: Literal["join_room"]
    token: Annotated[str, StringConstraints(max_length=65_536)] | None = None
    auto_subscribe: bool = True
    metadata: Text = ""
    attributes: Attributes = Field(default_factory=dict)
    bandwidth_share: Share = 1.0


class LeaveRoom(Request):
    """Go."""

    type: Literal["leave_room"]


class Ping(Request):
    """Is anybody there?"""

    type: Literal["ping"]


class Offer(Request):
    """SDP of the client's peer connection for this room."""

    type: Literal["offer"]
    sdp: Text


class Answer(Request):
    """To an offer of the server, which makes none."""

    type: Literal["answer"]
    sdp: Text


class Candidate(Request):
    """An ICE candidate as browsers have it."""

    type: Literal["candidate"]
    candidate: dict[str, Any] | None


class PublishTrack(Request):
    """Announce a track that an offer carries, or will."""

    type: Literal["publish_track"]
    kind: Literal["audio", "video"]
    source: Literal["camera", "microphone", "screen_share", "screen_share_audio", "unknown"] | None = None
    name: Annotated[str, StringConstraints(max_length=256)] = ""
    cid: Cid | None = None
    width: Annotated[int, Field(ge=0, le=16_384)] = 0
    height: Annotated[int, Field(ge=0, le=16_384)] = 0
    muted: bool = False


class UnpublishTrack(Request):
    """Take a track of one's own away."""

    type: Literal["unpublish_track"]
    track_id: Sid


class MuteTrack(Request):
    """Mute a track of one's own, or go on with it."""

    type: Literal["mute_track"]
    track_id: Sid
    muted: bool


class SubscribeTrack(Request):
    """Ask for a track, and for how good it has to be."""

    type: Literal["subscribe_track"]
    track_id: Sid
    quality: Quality | None = None


class UnsubscribeTrack(Request):
    """Do without a track."""

    type: Literal["unsubscribe_track"]
    track_id: Sid


class UpdateMetadata(Request):
    """What everybody is told of oneself; what is left out stays."""

    type: Literal["update_metadata"]
    name: Annotated[str, StringConstraints(max_length=256)] = ""
    metadata: Text = ""
    attributes: Attributes = Field(default_factory=dict)


class SendData(Request):
    """A message to everybody in the room, or to some."""

    type: Literal["send_data"]
    data: Annotated[str, StringConstraints(max_length=MAX_DATA_CHARS)]
    encoding: Literal["text", "base64"] = "text"
    topic: Annotated[str, StringConstraints(max_length=256)] = ""
    to: Annotated[list[Name], Field(max_length=MAX_RECEIVERS)] = Field(default_factory=list)
    reliable: bool = True


class SetBandwidthShare(Request):
    """How much of the connection a room may have, compared with the others."""

    type: Literal["set_bandwidth_share"]
    share: Share


class Control(Request):
    """What hosts do, as in ``rooms.control``; which fields there are depends on it."""

    model_config = ConfigDict(extra="allow", strict=True)


KINDS: dict[str, type[Request]] = {
    str(kind.model_fields["type"].annotation.__args__[0]): kind  # type: ignore[union-attr]
    for kind in (
        JoinRoom,
        LeaveRoom,
        Ping,
        Offer,
        Answer,
        Candidate,
        PublishTrack,
        UnpublishTrack,
        MuteTrack,
        SubscribeTrack,
        UnsubscribeTrack,
        UpdateMetadata,
        SendData,
        SetBandwidthShare,
    )
} | dict.fromkeys(ACTIONS, Control)
"""By the name that messages give."""


class _Head(BaseModel):
    """As much of a message as can be read."""

    type: Any = None
    id: Any = None
    room_id: Any = None


def parse(text: str) -> Request:
    """Read a message. Raises Refused."""
    try:
        head = _Head.model_validate_json(text)
    except ValidationError:
        raise Refused("bad_request", "should be a JSON object") from None
    request_id = head.id if isinstance(head.id, str | int) and len(str(head.id)) <= 64 else None
    if head.type is None:
        raise Refused("bad_request", "type: is missing", request_id)
    kind = KINDS.get(head.type) if isinstance(head.type, str) else None
    if kind is None:
        raise Refused("unknown_type", f"there is no request {str(head.type)[:64]}", request_id)
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in detail["loc"])
        raise Refused("bad_request", f"{field}: {detail['msg']}"[:300], request_id) from None
