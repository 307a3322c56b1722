"""Several observers of the same rooms."""

from collections.abc import Callable, Sequence

from livekit.protocol import models

from .ports import RoomObserver


class Observers:
    """Tells each observer in turn (``rooms.ports.RoomObserver``).

    One that raises is reported and hinders neither the room nor the other observers.
    """

    def __init__(
        self, observers: Sequence[RoomObserver], on_error: Callable[[RoomObserver, Exception], None]
    ) -> None:
        self._observers = tuple(observers)
        self._on_error = on_error

    def add(self, observer: RoomObserver) -> None:
        """Tell one more from now on, after the others."""
        self._observers = (*self._observers, observer)

    def room_started(self, room: models.Room) -> None:
        """See RoomObserver."""
        self._tell(lambda observer: observer.room_started(room))

    def room_finished(self, room: models.Room) -> None:
        """See RoomObserver."""
        self._tell(lambda observer: observer.room_finished(room))

    def participant_joined(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """See RoomObserver."""
        self._tell(lambda observer: observer.participant_joined(room, participant))

    def participant_left(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """See RoomObserver."""
        self._tell(lambda observer: observer.participant_left(room, participant))

    def participant_aborted(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """See RoomObserver."""
        self._tell(lambda observer: observer.participant_aborted(room, participant))

    def track_published(
        self, room: models.Room, participant: models.ParticipantInfo, track: models.TrackInfo
    ) -> None:
        """See RoomObserver."""
        self._tell(lambda observer: observer.track_published(room, participant, track))

    def track_unpublished(
        self, room: models.Room, participant: models.ParticipantInfo, track: models.TrackInfo
    ) -> None:
        """See RoomObserver."""
        self._tell(lambda observer: observer.track_unpublished(room, participant, track))

    def _tell(self, event: Callable[[RoomObserver], None]) -> None:
        for observer in self._observers:
            try:
                event(observer)
            except Exception as error:  # noqa: BLE001 - a room outlives its observers' mistakes
                self._on_error(observer, error)
