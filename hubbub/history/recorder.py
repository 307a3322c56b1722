"""Hears rooms and notes what happens, to be written once a second."""

from collections.abc import Callable
from dataclasses import dataclass

from livekit.protocol import models

from .store import Changes

MAX_UNWRITTEN = 100_000
"""Changes that may wait in memory, as while the disk is full; further ones are not remembered."""
MAX_LISTED = 100_000
"""Stays of one room, and tracks, that are remembered one by one; further ones are counted only."""
_FOR_OTHERS = (models.ParticipantInfo.AGENT, models.ParticipantInfo.EGRESS)


@dataclass(slots=True)
class _Room:
    """What is counted of a room that goes on."""

    present: int = 0
    peak: int = 0
    sessions: int = 0
    stays: int = 0
    tracks: int = 0


class Recorder:
    """Without I/O (``rooms.ports.RoomObserver``); ``changed`` is called whenever there is something to write."""

    def __init__(self, wall: Callable[[], float], changed: Callable[[], None]) -> None:
        self._wall = wall
        self._changed = changed
        self._rooms: dict[str, _Room] = {}
        self.changes = Changes()
        self.forgotten = 0
        """Changes that found no place."""

    @property
    def live(self) -> bool:
        """Whether any room goes on."""
        return bool(self._rooms)

    def room_started(self, room: models.Room) -> None:
        """See RoomObserver."""
        if self._has_place():
            self._rooms[room.sid] = _Room()
            self.changes.rooms.append((room.sid, room.name, self._wall()))

    def room_finished(self, room: models.Room) -> None:
        """See RoomObserver."""
        known = self._rooms.pop(room.sid, None)
        if known is not None:
            # Always noted: there is one for each room that was noted before.
            self.changes.ended_rooms.append(
                (self._wall(), known.peak, known.sessions, known.tracks, room.sid)
            )
            self._changed()

    def participant_joined(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """See RoomObserver."""
        known = self._rooms.get(room.sid)
        if known is None:
            return
        known.sessions += 1
        known.present += _counts(participant)
        known.peak = max(known.peak, known.present)
        self._note_stay(known, room, participant, left_at=None)

    def participant_left(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """See RoomObserver."""
        known = self._rooms.get(room.sid)
        if known is not None:
            known.present -= _counts(participant)
        if self._has_place():
            self.changes.departures.append((self._wall(), _reason(participant), participant.sid))

    def participant_aborted(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """See RoomObserver."""
        known = self._rooms.get(room.sid)
        if known is not None:
            self._note_stay(known, room, participant, left_at=self._wall())

    def track_published(
        self, room: models.Room, participant: models.ParticipantInfo, track: models.TrackInfo
    ) -> None:
        """See RoomObserver."""
        known = self._rooms.get(room.sid)
        if known is None:
            return
        known.tracks += 1
        if known.tracks <= MAX_LISTED and self._has_place():
            kind, source = models.TrackType.Name(track.type), models.TrackSource.Name(track.source)
            self.changes.tracks.append(
                (
                    track.sid,
                    room.sid,
                    participant.sid,
                    participant.identity,
                    kind,
                    source,
                    track.mime_type,
                    track.name,
                    self._wall(),
                )
            )

    def track_unpublished(
        self,
        room: models.Room,
        participant: models.ParticipantInfo,  # noqa: ARG002
        track: models.TrackInfo,
    ) -> None:
        """See RoomObserver."""
        if self._has_place():
            self.changes.ended_tracks.append((self._wall(), room.sid, track.sid))

    def _note_stay(
        self, known: _Room, room: models.Room, participant: models.ParticipantInfo, left_at: float | None
    ) -> None:
        known.stays += 1
        if known.stays > MAX_LISTED or not self._has_place():
            return
        kind = models.ParticipantInfo.Kind.Name(participant.kind)
        reason = _reason(participant) if left_at is not None else ""
        joined_at = participant.joined_at_ms / 1000 if participant.joined_at_ms else self._wall()
        self.changes.participants.append(
            (
                participant.sid,
                room.sid,
                participant.identity,
                participant.name,
                kind,
                joined_at,
                left_at,
                int(left_at is None),
                reason,
            )
        )

    def _has_place(self) -> bool:
        if len(self.changes) >= MAX_UNWRITTEN:
            self.forgotten += 1
            return False
        self._changed()
        return True


def _counts(participant: models.ParticipantInfo) -> int:
    """Agents and recorders are there for others."""
    return int(participant.kind not in _FOR_OTHERS and not participant.permission.recorder)


def _reason(participant: models.ParticipantInfo) -> str:
    return str(models.DisconnectReason.Name(participant.disconnect_reason))
