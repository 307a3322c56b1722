"""What happens in rooms, as a stream for each who listens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from livekit.protocol import models

MAX_WAITING = 10_000
"""Events that may wait for one listener; the oldest are dropped for further ones."""


class EventKind(StrEnum):
    """LiveKit's names, as in webhooks."""

    ROOM_STARTED = "room_started"
    ROOM_FINISHED = "room_finished"
    PARTICIPANT_JOINED = "participant_joined"
    PARTICIPANT_LEFT = "participant_left"
    PARTICIPANT_CONNECTION_ABORTED = "participant_connection_aborted"
    TRACK_PUBLISHED = "track_published"
    TRACK_UNPUBLISHED = "track_unpublished"


@dataclass(frozen=True, slots=True)
class Event:
    """Snapshots of what it was about, as LiveKit's protobuf messages."""

    kind: EventKind
    room: models.Room
    participant: models.ParticipantInfo | None = None
    track: models.TrackInfo | None = None


class Events:
    """Hears the rooms (``rooms.ports.RoomObserver``) and tells whoever listens."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Event | None]] = set()

    async def listen(self) -> AsyncIterator[Event]:
        """Events from now on, until the server stops. A slow listener misses the oldest, and nobody waits for it."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(MAX_WAITING)
        self._listeners.add(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """The server has stopped: every stream ends."""
        self._put(None)

    def room_started(self, room: models.Room) -> None:
        """See RoomObserver."""
        self._put(Event(EventKind.ROOM_STARTED, room))

    def room_finished(self, room: models.Room) -> None:
        """See RoomObserver."""
        self._put(Event(EventKind.ROOM_FINISHED, room))

    def participant_joined(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """See RoomObserver."""
        self._put(Event(EventKind.PARTICIPANT_JOINED, room, participant))

    def participant_left(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """See RoomObserver."""
        self._put(Event(EventKind.PARTICIPANT_LEFT, room, participant))

    def participant_aborted(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """See RoomObserver."""
        self._put(Event(EventKind.PARTICIPANT_CONNECTION_ABORTED, room, participant))

    def track_published(
        self, room: models.Room, participant: models.ParticipantInfo, track: models.TrackInfo
    ) -> None:
        """See RoomObserver."""
        self._put(Event(EventKind.TRACK_PUBLISHED, room, participant, track))

    def track_unpublished(
        self, room: models.Room, participant: models.ParticipantInfo, track: models.TrackInfo
    ) -> None:
        """See RoomObserver."""
        self._put(Event(EventKind.TRACK_UNPUBLISHED, room, participant, track))

    def _put(self, event: Event | None) -> None:
        for queue in self._listeners:
            if queue.full():
                with suppress(asyncio.QueueEmpty):
                    queue.get_nowait()
            queue.put_nowait(event)
