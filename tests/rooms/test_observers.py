"""Several observers hear the same, in order, whatever one of them does."""

from livekit.protocol import models

from rooms.observers import Observers
from tests.harness.rooms import RecordingObserver

ROOM, ANN, TRACK = models.Room(name="r"), models.ParticipantInfo(identity="ann"), models.TrackInfo(sid="TR_1")


class Raising:
    def __getattr__(self, name: str):
        def raise_(*_: object) -> None:
            raise ValueError(name)

        return raise_


def hear_everything(observers: Observers) -> None:
    observers.room_started(ROOM)
    observers.participant_joined(ROOM, ANN)
    observers.track_published(ROOM, ANN, TRACK)
    observers.track_unpublished(ROOM, ANN, TRACK)
    observers.participant_left(ROOM, ANN)
    observers.participant_aborted(ROOM, ANN)
    observers.room_finished(ROOM)


def test_all_hear_everything_and_one_that_raises_is_reported() -> None:
    first, last, raising = RecordingObserver(), RecordingObserver(), Raising()
    reported: list[tuple[object, str]] = []
    hear_everything(
        Observers([first, raising, last], lambda observer, error: reported.append((observer, str(error))))
    )
    assert first.heard == last.heard
    names = [name for name, _ in first.heard]
    assert names == [
        "room_started",
        "participant_joined",
        "track_published",
        "track_unpublished",
        "participant_left",
        "participant_aborted",
        "room_finished",
    ]
    assert reported == [(raising, name) for name in names]


def test_without_observers_nothing_happens() -> None:
    hear_everything(Observers([], lambda observer, error: None))
