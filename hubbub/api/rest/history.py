"""``/api/history``: rooms of the past, who was in them, what was published."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from hubbub.api.errors import Code
from hubbub.history.service import History

from .endpoint import Answer, Call, Endpoint, Query

_TAG = "History"


class PastRoom(Answer):
    """A room that has ended, or goes on: then it has no end yet, and its sums are not known."""

    sid: str
    name: str
    started_at: datetime
    ended_at: datetime | None
    peak: int
    """Most participants at a time."""
    sessions: int
    identities: int
    tracks: int
    participant_s: float
    """Seconds that participants spent here, added up."""
    lost: bool
    """The server was killed meanwhile, so the end is about right only."""


class PastParticipant(Answer):
    """One stay of somebody in a room."""

    sid: str
    identity: str
    name: str
    kind: str
    joined_at: datetime
    left_at: datetime | None
    connected: bool
    reason: str


class PastTrack(Answer):
    """A track that was published."""

    sid: str
    participant_sid: str
    identity: str
    kind: str
    source: str
    mime_type: str
    name: str
    published_at: datetime
    ended_at: datetime | None


class PastRoomList(BaseModel):
    """Some rooms, the latest first."""

    rooms: list[PastRoom]
    next_page: str | None


class PastParticipantList(BaseModel):
    """Some stays, the first first."""

    participants: list[PastParticipant]
    next_page: str | None


class PastTrackList(BaseModel):
    """Some tracks, the first first."""

    tracks: list[PastTrack]
    next_page: str | None


class PageQuery(Query):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    page: Annotated[str, StringConstraints(max_length=128)] = ""
    """The ``next_page`` of a former answer."""


class RoomQuery(PageQuery):
    """Which rooms."""

    name: Annotated[str, StringConstraints(max_length=256)] | None = None


class HistoryEndpoints:
    """Need roomList."""

    def __init__(self, history: History) -> None:
        self._history = history

    def endpoints(self) -> list[Endpoint]:
        """In the order of the document."""
        one, absent = "/api/history/rooms/{sid}", (Code.NOT_FOUND,)
        return [
            Endpoint(
                "GET", "/api/history/rooms", "List rooms of the past, the latest first", _TAG, self.rooms,
                PastRoomList, query=RoomQuery, needs="roomList",
            ),
            Endpoint(
                "GET", one, "Get a room's statistics", _TAG, self.room, PastRoom, needs="roomList",
                errors=absent,
            ),
            Endpoint(
                "GET", f"{one}/participants", "List who was in a room, and when", _TAG, self.participants,
                PastParticipantList, query=PageQuery, needs="roomList", errors=absent,
            ),
            Endpoint(
                "GET", f"{one}/tracks", "List what was published in a room", _TAG, self.tracks,
                PastTrackList, query=PageQuery, needs="roomList", errors=absent,
            ),
        ]  # fmt: skip

    async def rooms(self, call: Call) -> PastRoomList:
        """Some of them."""
        call.by.require_room_list()
        query: RoomQuery = call.query
        page = await self._history.rooms(name=query.name, limit=query.limit, page=query.page)
        rooms = [PastRoom.model_validate(record) for record in page.records]
        return PastRoomList(rooms=rooms, next_page=page.next_page or None)

    async def room(self, call: Call) -> PastRoom:
        """One of them."""
        call.by.require_room_list()
        return PastRoom.model_validate(await self._history.room(call.path["sid"]))

    async def participants(self, call: Call) -> PastParticipantList:
        """Who was there."""
        call.by.require_room_list()
        query: PageQuery = call.query
        page = await self._history.participants(call.path["sid"], limit=query.limit, page=query.page)
        participants = [PastParticipant.model_validate(record) for record in page.records]
        return PastParticipantList(participants=participants, next_page=page.next_page or None)

    async def tracks(self, call: Call) -> PastTrackList:
        """What was published."""
        call.by.require_room_list()
        query: PageQuery = call.query
        page = await self._history.tracks(call.path["sid"], limit=query.limit, page=query.page)
        tracks = [PastTrack.model_validate(record) for record in page.records]
        return PastTrackList(tracks=tracks, next_page=page.next_page or None)
