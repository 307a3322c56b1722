"""What goes in and out, in JSON. Durations are in seconds and times are ISO 8601 in UTC, as names say."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from livekit.protocol import models as livekit
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from .endpoint import NAME_PATTERN, Model, Query

MAX_TTL_S = 365 * 24 * 3600
MAX_TEXT_CHARS = 64_000
MAX_BASE64_CHARS = 88_000


def whole(value: object) -> object:
    """JSON has one kind of number: 3.0 is as whole as 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=NAME_PATTERN)]
Text = Annotated[str, StringConstraints(max_length=512 * 1024)]
Attributes = dict[
    Annotated[str, StringConstraints(max_length=1024)], Annotated[str, StringConstraints(max_length=65536)]
]
Seconds = Annotated[int, Field(ge=0, le=10 * 365 * 24 * 3600), BeforeValidator(whole)]
People = Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(whole)]
Base64 = Annotated[str, Field(max_length=MAX_BASE64_CHARS, json_schema_extra={"format": "byte"})]
Sources = list[Literal["camera", "microphone", "screen_share", "screen_share_audio"]]


class Room(BaseModel):
    """A room."""

    name: str
    sid: str
    metadata: str
    empty_timeout_s: int
    departure_timeout_s: int
    max_participants: int
    created_at: datetime
    num_participants: int
    num_publishers: int
    active_recording: bool

    @classmethod
    def of(cls, info: livekit.Room) -> "Room":
        """From LiveKit's description."""
        return cls(
            name=info.name,
            sid=info.sid,
            metadata=info.metadata,
            empty_timeout_s=info.empty_timeout,
            departure_timeout_s=info.departure_timeout,
            max_participants=info.max_participants,
            created_at=datetime.fromtimestamp(info.creation_time, UTC),
            num_participants=info.num_participants,
            num_publishers=info.num_publishers,
            active_recording=info.active_recording,
        )


class RoomList(BaseModel):
    """Some rooms, by name."""

    rooms: list[Room]
    next_after: str | None
    """Give it as ``after`` to get more; null at the end."""


class RoomListQuery(Query):
    """Which rooms."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    after: Annotated[str, StringConstraints(max_length=256)] = ""
    """Rooms whose names come after this one."""


class CreateRoom(Model):
    """A new room; what is left out is as configured."""

    name: Name
    metadata: Text = ""
    empty_timeout_s: Seconds | None = None
    departure_timeout_s: Seconds | None = None
    max_participants: People | None = None
    tags: Attributes = Field(default_factory=dict)


class UpdateRoom(Model):
    """What is to change; the rest stays."""

    metadata: Text | None = None
    empty_timeout_s: Seconds | None = None
    departure_timeout_s: Seconds | None = None
    max_participants: People | None = None


class Track(BaseModel):
    """A published track."""

    sid: str
    name: str
    kind: str
    source: str
    muted: bool
    mime_type: str
    width: int
    height: int

    @classmethod
    def of(cls, info: livekit.TrackInfo) -> "Track":
        """From LiveKit's description."""
        return cls(
            sid=info.sid,
            name=info.name,
            kind=livekit.TrackType.Name(info.type).lower(),
            source=livekit.TrackSource.Name(info.source).lower(),
            muted=info.muted,
            mime_type=info.mime_type,
            width=info.width,
            height=info.height,
        )


class Permissions(BaseModel):
    """What a participant may do."""

    can_subscribe: bool
    can_publish: bool
    can_publish_data: bool
    can_publish_sources: list[str]
    can_update_metadata: bool
    hidden: bool


class Participant(BaseModel):
    """Somebody in a room."""

    identity: str
    sid: str
    name: str
    state: str
    kind: str
    metadata: str
    attributes: dict[str, str]
    joined_at: datetime
    is_publisher: bool
    permissions: Permissions
    tracks: list[Track]

    @classmethod
    def of(cls, info: livekit.ParticipantInfo) -> "Participant":
        """From LiveKit's description."""
        permission = info.permission
        return cls(
            identity=info.identity,
            sid=info.sid,
            name=info.name,
            state=livekit.ParticipantInfo.State.Name(info.state).lower(),
            kind=livekit.ParticipantInfo.Kind.Name(info.kind).lower(),
            metadata=info.metadata,
            attributes=dict(info.attributes),
            joined_at=datetime.fromtimestamp(info.joined_at, UTC),
            is_publisher=info.is_publisher,
            permissions=Permissions(
                can_subscribe=permission.can_subscribe,
                can_publish=permission.can_publish,
                can_publish_data=permission.can_publish_data,
                can_publish_sources=[
                    livekit.TrackSource.Name(source).lower() for source in permission.can_publish_sources
                ],
                can_update_metadata=permission.can_update_metadata,
                hidden=permission.hidden,
            ),
            tracks=[Track.of(track) for track in info.tracks],
        )


class ParticipantList(BaseModel):
    """Who is in a room."""

    participants: list[Participant]


class PermissionsChange(Model):
    """What somebody may do from now on; what is left out stays."""

    can_subscribe: bool | None = None
    can_publish: bool | None = None
    can_publish_data: bool | None = None
    can_publish_sources: Sources | None = None
    can_update_metadata: bool | None = None
    hidden: bool | None = None


class UpdateParticipant(Model):
    """What is to change; the rest stays."""

    name: Annotated[str, StringConstraints(max_length=256)] | None = None
    metadata: Text | None = None
    attributes: Attributes = Field(default_factory=dict)
    """Laid over what there is; an empty value deletes."""
    permissions: PermissionsChange | None = None


class Mute(Model):
    """One track, or all of the participant's."""

    track_sid: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    muted: bool = True


class TrackList(BaseModel):
    """The tracks that it was about, as they are now."""

    tracks: list[Track]


class Grants(Model):
    """What a token lets its holder do in the room, besides joining it."""

    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    can_publish_sources: Sources = Field(default_factory=list)
    can_update_own_metadata: bool = False
    hidden: bool = False
    room_admin: bool = False


class Invite(Model):
    """Somebody who is to be let in."""

    identity: Name
    name: Annotated[str, StringConstraints(max_length=256)] = ""
    metadata: Text = ""
    attributes: Attributes = Field(default_factory=dict)
    grants: Grants = Field(default_factory=Grants)
    ttl_s: Annotated[int, Field(ge=1, le=MAX_TTL_S), BeforeValidator(whole)] = 6 * 3600


class Invitation(BaseModel):
    """How to come in."""

    token: str
    identity: str
    room: str
    url: str
    """WebSocket URL for the SDKs."""
    expires_at: datetime


def _one_of_both(schema: dict[str, Any], model: type["Either"]) -> None:
    """Say in the schema that either is needed, and never null."""
    properties = schema["properties"]
    for name in model.either:
        properties[name] = properties[name]["anyOf"][0]
    schema["oneOf"] = [{"required": [name]} for name in model.either]


class Either(Model):
    """A body that has one of two optional fields, and not the other."""

    model_config = ConfigDict(json_schema_extra=_one_of_both)

    either: ClassVar[tuple[str, str]]

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = self.model_fields_set.intersection(self.either)
        if len(given) != 1 or getattr(self, next(iter(given))) is None:
            raise ValueError(f"give either {' or '.join(self.either)}")
        return self


class Data(Either):
    """A message to participants, as text or as bytes."""

    either = ("text", "base64")

    text: Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARS)] | None = None
    base64: Base64 | None = None
    topic: Annotated[str, StringConstraints(max_length=256)] = ""
    to: list[Name] = Field(default_factory=list, max_length=1000)
    """Identities; empty for everybody."""
    reliable: bool = True


class Health(BaseModel):
    """The server is there."""

    status: Literal["ok"] = "ok"
    version: str
