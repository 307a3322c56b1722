"""``/livekit/…``: the same operations in the shape of room controllers that applications have around LiveKit."""

import re
from datetime import datetime
from typing import Annotated

from livekit.protocol import models as livekit
from livekit.protocol import room as messages
from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from auth.grants import Claims, VideoGrant
from hubbub.api.errors import Code
from hubbub.api.turns import in_turns
from hubbub.bans.waiting import kept
from rooms.administration import Administration, RoomChange

from . import models
from .credentials import key_of
from .endpoint import Answer, Call, Endpoint, Model
from .errors import InvalidField
from .invitations import Inviter

_TAG = "Room controller"
_TTL = re.compile(r"(\d{1,9})\s*(s|m|h|d)?")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class _Camel(Answer):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _CamelBody(Model):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


def _seconds(value: object) -> object:
    """A number of seconds, or a text such as ``10m`` or ``6h``."""
    if isinstance(value, str) and (match := _TTL.fullmatch(value.strip())):
        return int(match[1]) * _UNITS_S[match[2] or "s"]
    return models.whole(value)


class ControllerRoom(_Camel):
    """A room."""

    sid: str
    name: str
    empty_timeout: int
    max_participants: int
    creation_time: datetime
    num_participants: int
    metadata: str


class ControllerRooms(_Camel):
    """All rooms."""

    rooms: list[ControllerRoom]


class CreateControllerRoom(_CamelBody):
    """A new room."""

    name: models.Name
    empty_timeout: models.Seconds = 0
    max_participants: models.People = 0
    metadata: models.Text = ""


class UpdateControllerRoom(_CamelBody):
    """What is to change."""

    empty_timeout: models.Seconds | None = None
    max_participants: models.People | None = None
    metadata: models.Text | None = None


class ControllerTrack(_Camel):
    """A published track."""

    sid: str
    name: str
    type: Annotated[str, Field(validation_alias="kind")]
    source: str
    muted: bool


class ControllerParticipant(_Camel):
    """Somebody in a room."""

    sid: str
    identity: str
    name: str
    state: str
    metadata: str
    joined_at: datetime
    is_publisher: bool
    tracks: list[ControllerTrack]

    @classmethod
    def of(cls, info: livekit.ParticipantInfo) -> "ControllerParticipant":
        """From LiveKit's description."""
        return cls.model_validate(models.Participant.of(info))


class ControllerParticipants(_Camel):
    """Who is in a room."""

    participants: list[ControllerParticipant]


class ControllerMute(_CamelBody):
    """One track."""

    track_sid: Annotated[str, Field(min_length=1, max_length=64)]
    muted: bool = True


class ControllerMuted(_Camel):
    """The track as it is now."""

    track_sid: str
    muted: bool


class ControllerTokenRequest(_CamelBody):
    """Whom to let in, and what they may do."""

    room_name: models.Name
    participant_name: models.Name
    identity: models.Name | None = None
    """The participant's name where it is left out."""
    metadata: models.Text = ""
    attributes: models.Attributes = Field(default_factory=dict)
    ttl: Annotated[int, Field(ge=1, le=models.MAX_TTL_S), BeforeValidator(_seconds)] = 6 * 3600
    """Seconds, or a text such as 10m or 6h."""
    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    can_publish_sources: models.Sources = Field(default_factory=list)
    can_update_own_metadata: bool = False
    hidden: bool = False
    room_admin: bool = False
    room_create: bool = False
    room_list: bool = False
    room_record: bool = False


_GRANTS = VideoGrant.__dataclass_fields__.keys() & ControllerTokenRequest.model_fields.keys()


class ControllerToken(_Camel):
    """The token to join with."""

    token: str
    room_name: str
    identity: str
    expires_at: datetime


class ControllerEndpoints:
    """Rooms, participants and tokens."""

    def __init__(self, administration: Administration, inviter: Inviter) -> None:
        self._administration = administration
        self._inviter = inviter

    def endpoints(self) -> list[Endpoint]:
        """In the order of the document."""
        rooms, one = "/livekit/rooms", "/livekit/rooms/{room}"
        people, absent = f"{one}/participants", (Code.NOT_FOUND,)
        return [
            Endpoint(
                "POST", rooms, "Create a room", _TAG, self.create, ControllerRoom, CreateControllerRoom,
                status=201, needs="roomCreate",
            ),
            Endpoint("GET", rooms, "List rooms", _TAG, self.list, ControllerRooms, needs="roomList"),
            Endpoint(
                "GET", one, "Get a room", _TAG, self.get, ControllerRoom, needs="roomAdmin", errors=absent
            ),
            Endpoint(
                "PATCH", one, "Change a room", _TAG, self.update, ControllerRoom, UpdateControllerRoom,
                needs="roomAdmin", errors=absent,
            ),
            Endpoint("DELETE", one, "End a room", _TAG, self.delete, needs="roomCreate", errors=absent),
            Endpoint(
                "GET", people, "List who is in a room", _TAG, self.participants, ControllerParticipants,
                needs="roomAdmin", errors=absent,
            ),
            Endpoint(
                "DELETE", f"{people}/{{identity}}", "Remove a participant", _TAG, self.remove,
                needs="roomAdmin", errors=absent,
            ),
            Endpoint(
                "POST", f"{people}/{{identity}}/mute", "Mute a track", _TAG, self.mute, ControllerMuted,
                ControllerMute, needs="roomAdmin", errors=(Code.NOT_FOUND, Code.FAILED_PRECONDITION),
            ),
            Endpoint(
                "POST", "/livekit/token", "Make a token to join a room", _TAG, self.token, ControllerToken,
                ControllerTokenRequest, status=201, needs="roomAdmin",
            ),
        ]  # fmt: skip

    def create(self, call: Call) -> ControllerRoom:
        """Needs roomCreate."""
        call.by.require_room_create()
        body: CreateControllerRoom = call.body
        wish = messages.RoomConfiguration(
            empty_timeout=body.empty_timeout, max_participants=body.max_participants, metadata=body.metadata
        )
        return ControllerRoom.model_validate(
            self._administration.create_room(body.name, wish, api_key=key_of(call.by))
        )

    async def list(self, call: Call) -> ControllerRooms:
        """Needs roomList."""
        call.by.require_room_list()
        found = in_turns(self._administration.each_room())
        return ControllerRooms(rooms=[ControllerRoom.model_validate(room) async for room in found])

    def get(self, call: Call) -> ControllerRoom:
        """Needs roomAdmin of the room."""
        return ControllerRoom.model_validate(self._administration.room(call.administered_room()).info())

    def update(self, call: Call) -> ControllerRoom:
        """Needs roomAdmin of the room."""
        body: UpdateControllerRoom = call.body
        change = RoomChange(body.metadata, body.empty_timeout, max_participants=body.max_participants)
        return ControllerRoom.model_validate(
            self._administration.update_room(call.administered_room(), change)
        )

    def delete(self, call: Call) -> None:
        """Needs roomCreate."""
        call.by.require_room_create()
        self._administration.delete_room(call.path["room"])

    async def participants(self, call: Call) -> ControllerParticipants:
        """Needs roomAdmin of the room."""
        room = self._administration.room(call.administered_room())
        found = in_turns(self._administration.each_participant(room.name))
        people = [ControllerParticipant.of(info) async for info in found]
        return ControllerParticipants(participants=people)

    async def remove(self, call: Call) -> None:
        """Needs roomAdmin of the room."""
        self._administration.remove_participant(call.administered_room(), call.path["identity"])
        await kept(self._administration.bans)

    def mute(self, call: Call) -> ControllerMuted:
        """Needs roomAdmin of the room."""
        body: ControllerMute = call.body
        room, identity = call.administered_room(), call.path["identity"]
        track = self._administration.mute_track(room, identity, body.track_sid, body.muted)
        if track is None:
            raise InvalidField("trackSid", "the participant publishes no such track")
        return ControllerMuted(track_sid=track.sid, muted=track.muted)

    def token(self, call: Call) -> ControllerToken:
        """Needs roomAdmin of the room; grants beyond the room need what they grant."""
        body: ControllerTokenRequest = call.body
        call.by.require_room_admin(body.room_name)
        if body.room_create:
            call.by.require_room_create()
        if body.room_list:
            call.by.require_room_list()
        if body.room_record:
            call.by.require_room_record()
        identity = body.identity or body.participant_name
        claims = Claims(
            identity=identity, name=body.participant_name, metadata=body.metadata, attributes=body.attributes
        )
        grants = {name: getattr(body, name) for name in _GRANTS}
        token, expires_at = self._inviter.sign(body.room_name, claims, body.ttl, grants)
        return ControllerToken(
            token=token, room_name=body.room_name, identity=identity, expires_at=expires_at
        )
