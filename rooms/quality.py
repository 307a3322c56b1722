"""Connection quality: scores of transports become words about people, told every few seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from sfu.control import TransportId

if TYPE_CHECKING:
    from .room import Room
    from .session import Session

_EXCELLENT_ABOVE = 80.0
_GOOD_ABOVE = 40.0
_POOR_ABOVE = 20.0
_LOST_PROTOCOL = 11
"""Client protocol from which LOST is understood."""
_BEST_SCORE = 100.0

_Told = dict[str, models.ConnectionQuality]


@dataclass(frozen=True, slots=True)
class _Grade:
    quality: models.ConnectionQuality
    score: float
    """Mean opinion score, 1 to 4.5."""


class QualityBoard:
    """How well everybody in one room is connected."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self._scores: dict[Session, float] = {}
        self._told: dict[Session, _Told] = {}

    def update(self, scores: Mapping[TransportId, float]) -> None:
        """The data plane measured. Of somebody with two transports the worse one counts."""
        sessions = list(self._room.sessions.values())
        for session in sessions:
            known = [scores[leg] for leg in session.legs.all() if leg in scores]
            if known:
                self._scores[session] = min(known)
        for session in sessions:
            self.refresh(session)

    def refresh(self, session: "Session") -> None:
        """Tell a client about itself and whom it receives, when any of it is new."""
        if session.ended or not session.participant.active or not session.signal.connected:
            return
        subjects = [session, *sorted(session.subscriptions.publishers(), key=lambda one: one.participant.sid)]
        grades = {
            subject.participant.sid: self._grade(subject, session)
            for subject in subjects
            if subject.participant.active
        }
        qualities = {sid: grade.quality for sid, grade in grades.items()}
        if qualities == self._told.get(session):
            return
        self._told[session] = qualities
        updates = [
            rtc.ConnectionQualityInfo(participant_sid=sid, quality=grade.quality, score=grade.score)
            for sid, grade in grades.items()
        ]
        message = rtc.ConnectionQualityUpdate(updates=updates)
        session.signal.send(rtc.SignalResponse(connection_quality=message))

    def forget(self, session: "Session") -> None:
        """A participant is gone."""
        self._scores.pop(session, None)
        self._told.pop(session, None)

    def _grade(self, subject: "Session", listener: "Session") -> _Grade:
        score = self._scores.get(subject, _BEST_SCORE)
        if score > _EXCELLENT_ABOVE:
            quality = models.EXCELLENT
        elif score > _GOOD_ABOVE:
            quality = models.GOOD
        elif score > _POOR_ABOVE or not _may_be_lost(subject, listener):
            quality = models.POOR
        else:
            quality = models.LOST
        return _Grade(quality, mean_opinion_score(score))


def _may_be_lost(subject: "Session", listener: "Session") -> bool:
    """Nobody whose signal connection is alive is lost: told of itself, JavaScript would reconnect fully."""
    return (
        subject is not listener
        and not subject.signal.connected
        and listener.participant.protocol >= _LOST_PROTOCOL
    )


def mean_opinion_score(score: float) -> float:
    """From a score of 0..100, taken as an R factor, to 1..4.5 (ITU-T G.107 annex B)."""
    rating = min(max(score, 0.0), _BEST_SCORE)
    return max(1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6, 1.0)
