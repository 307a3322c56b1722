"""Active speakers: levels of tracks become levels of people, told to those who hear them."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from sfu.control import TrackId

from .timers import Timer

if TYPE_CHECKING:
    from .publication import Publication
    from .room import Room
    from .session import Session

_STEPS = 8
"""Levels are told in eighths, so that they change less often."""
_PRETENDED_LEVEL = 0.9


class SpeakerBoard:
    """Who speaks in one room, and what each client was told of it last."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self._speaking: dict[TrackId, float] = {}
        self._pretending: dict[Session, Timer] = {}
        self._told: dict[Session, dict[str, float]] = {}
        self._relayed: dict[SpeakerBoard, dict[TrackId, float]] = {}
        """Levels of forwarded tracks, by the board of the room that they come from."""
        self._relaying: set[SpeakerBoard] = set()

    def update(self, levels: Mapping[TrackId, float]) -> None:
        """The data plane measured; tracks that are missing are silent."""
        self._speaking = {track_id: _quantised(level) for track_id, level in levels.items() if level > 0}
        self._refresh_all()
        self._relay()

    def _relay(self) -> None:
        """Tell the rooms that tracks of this one are forwarded to."""
        levels: dict[SpeakerBoard, dict[TrackId, float]] = {}
        for track_id, level in self._speaking.items():
            publication = self._room.find_published(track_id)
            for forward in publication.forwards if publication is not None else ():
                levels.setdefault(forward.publisher.room.speakers, {})[track_id] = level
        for board in self._relaying | levels.keys():
            board.hear(self, levels.get(board, {}))
        self._relaying = set(levels)

    def hear(self, origin: "SpeakerBoard", levels: dict[TrackId, float]) -> None:
        """What another room measured of tracks that it forwards here."""
        if levels:
            self._relayed[origin] = levels
        else:
            self._relayed.pop(origin, None)
        self._refresh_all()

    def refresh(self, session: "Session") -> None:
        """Tell a client what is new to it."""
        told = self._told.get(session, {})
        speaking = self._speaking or self._pretending or self._relayed
        if session.ended or not session.signal.connected or not (told or speaking):
            return
        heard = self._heard(session)
        changed = [
            models.SpeakerInfo(sid=sid, level=level, active=True)
            for sid, level in heard.items()
            if told.get(sid) != level
        ]
        changed += [models.SpeakerInfo(sid=sid) for sid in told if sid not in heard]
        self._told[session] = heard
        if changed:
            message = rtc.SpeakersChanged(speakers=changed)
            session.signal.send(rtc.SignalResponse(speakers_changed=message))

    def forget(self, session: "Session") -> None:
        """A participant is gone."""
        self._told.pop(session, None)
        timer = self._pretending.pop(session, None)
        if timer is not None:
            timer.cancel()
        for other in self._room.sessions.values():
            if session.participant.sid in self._told.get(other, {}):
                self.refresh(other)

    def pretend(self, session: "Session", duration_s: float) -> None:
        """Show a participant as speaking to everybody for a while (``simulate``)."""
        previous = self._pretending.pop(session, None)
        if previous is not None:
            previous.cancel()
        self._pretending[session] = self._room.context.later(
            duration_s, lambda: self._stop_pretending(session)
        )
        self._refresh_all()

    def _stop_pretending(self, session: "Session") -> None:
        self._pretending.pop(session, None)
        self._refresh_all()

    def _refresh_all(self) -> None:
        for session in self._room.sessions.values():
            self.refresh(session)

    def _heard(self, session: "Session") -> dict[str, float]:
        """Level by participant sid of everybody whom this client hears, itself included."""
        heard: dict[str, float] = {}
        measured = [self._speaking, *self._relayed.values()]
        for track_id, level in (item for levels in measured for item in levels.items()):
            publication = self._room.find_published(track_id)
            if publication is not None and _audible(publication, session):
                sid = publication.publisher.participant.sid
                heard[sid] = max(level, heard.get(sid, 0.0))
        for speaker in self._pretending:
            if speaker is session or not speaker.participant.hidden:
                heard[speaker.participant.sid] = _PRETENDED_LEVEL
        return heard


def _audible(publication: "Publication", session: "Session") -> bool:
    return publication.publisher is session or session in publication.subscriptions


def _quantised(level: float) -> float:
    return min(math.ceil(level * _STEPS) / _STEPS, 1.0)
