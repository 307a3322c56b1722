"""What a large room is told a little later: those who come, go and change without publishing anything, merged.

Told at once, everybody's coming is told to everybody else, and a room of a thousand that fills up or empties writes a
million messages. LiveKit keeps such changes for its next three-second tick in rooms of all sizes.
"""

from typing import TYPE_CHECKING

from livekit.protocol import models

from . import updates
from .timers import Timer

if TYPE_CHECKING:
    from .room import Room
    from .session import Session

LARGE_ROOM = 50
"""From so many participants on; smaller rooms are told everything at once."""
DELAY_S = 1.0


class News:
    """Changes of one room that nobody but their participants has been told of yet."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self._changed: dict[str, Session] = {}
        """By sid."""
        self._departed: dict[str, models.ParticipantInfo] = {}
        self._timer: Timer | None = None

    def may_wait(self, session: "Session") -> bool:
        """Whether what happens to this participant can be told later."""
        busy = session.publications.published or session.data_tracks.infos()
        return not busy and len(self._room.sessions) >= LARGE_ROOM

    def changed(self, session: "Session") -> None:
        """Tell later how this participant then is."""
        self._changed[session.participant.sid] = session
        self._arm()

    def departed(self, session: "Session", info: models.ParticipantInfo) -> None:
        """Tell later that this participant has left."""
        self.forget(session)
        self._departed[info.sid] = info
        self._arm()

    def forget(self, session: "Session") -> None:
        """It is told at once after all."""
        self._changed.pop(session.participant.sid, None)

    def stop(self) -> None:
        """The room has ended."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._timer is None or not self._timer.pending:
            self._timer = self._room.context.later(DELAY_S, self._tell)

    def _tell(self) -> None:
        changed, self._changed = self._changed, {}
        departed, self._departed = self._departed, {}
        gone = list(departed.values())
        # Those who left first: somebody of the same identity may have come since.
        infos = [*gone, *(session.info() for session in changed.values() if not session.ended)]
        responses = [updates.update(group) for group in updates.split(infos)]
        for listener in self._room.sessions.values():
            if listener.signal.connected:
                for response in responses:
                    listener.signal.send(response)
            else:
                listener.signal.miss(gone)
