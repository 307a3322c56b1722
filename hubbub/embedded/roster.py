"""Who else is in a participant's room and what they publish, as the participant is told."""

from collections.abc import Iterable, Iterator

from livekit.protocol import models

_GONE = models.ParticipantInfo.DISCONNECTED


class Roster:
    """Kept up by the messages that every client gets."""

    def __init__(self) -> None:
        self._others: dict[str, models.ParticipantInfo] = {}

    def take(self, infos: Iterable[models.ParticipantInfo]) -> None:
        """Note news of participants."""
        for info in infos:
            known = self._others.get(info.identity)
            if info.state == _GONE:
                if known is not None and known.sid == info.sid:
                    del self._others[info.identity]
            elif known is None or known.sid != info.sid or info.version >= known.version:
                self._others[info.identity] = info

    def clear(self) -> None:
        """Everybody is gone: this is another room."""
        self._others.clear()

    def __contains__(self, identity: object) -> bool:
        return identity in self._others

    def tracks(self) -> Iterator[models.TrackInfo]:
        """Of everybody."""
        return (track for info in self._others.values() for track in info.tracks)

    def track(self, sid: str) -> models.TrackInfo | None:
        """The track of this sid, if it is (still) there."""
        return next((track for track in self.tracks() if track.sid == sid), None)

    def first(self, identity: str, kind: models.TrackType) -> models.TrackInfo | None:
        """Somebody's first track of a kind."""
        info = self._others.get(identity)
        tracks = info.tracks if info is not None else ()
        return next((track for track in tracks if track.type == kind), None)
