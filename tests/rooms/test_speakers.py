from livekit.protocol import models, rtc

from sfu.control import Speakers, TrackId
from tests.harness.rooms import Guest, House


def speak(house: House, **levels: float) -> None:
    room = house.service.room("room")
    assert room is not None
    house.event(Speakers(room.router_id, {TrackId(sid): level for sid, level in levels.items()}))


def speakers(guest: Guest) -> list[tuple[str, float, bool]]:
    """Everything told since the last look."""
    told = [
        (info.sid, round(info.level, 3), info.active)
        for message in guest.of("speakers_changed")
        for info in message.speakers
    ]
    guest.clear()
    return told


def test_speaker_and_listeners_are_told_changes_only() -> None:
    house = House()
    alice, bob = house.pair()
    stranger = house.join("stranger", auto_subscribe=False).connect()
    track = alice.publish("c1")
    speak(house, **{track: 0.3})
    assert speakers(alice) == [(alice.sid, 0.375, True)]
    assert speakers(bob) == [(alice.sid, 0.375, True)]
    assert speakers(stranger) == []
    speak(house, **{track: 0.37})
    assert speakers(bob) == []
    speak(house)
    assert speakers(bob) == [(alice.sid, 0.0, False)]
    assert speakers(alice) == [(alice.sid, 0.0, False)]


def test_loudest_track_of_a_participant_counts() -> None:
    house = House()
    alice, bob = house.pair()
    first, second = alice.publish("c1"), alice.publish("c2")
    speak(house, **{first: 0.2, second: 0.9})
    assert speakers(bob) == [(alice.sid, 1.0, True)]


def test_unsubscribing_silences_and_subscribing_tells() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1")
    bob.offer()
    speak(house, **{track: 0.5})
    speakers(bob)
    bob.request(subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=False))
    assert speakers(bob) == [(alice.sid, 0.0, False)]
    bob.request(subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=True))
    bob.offer()
    assert speakers(bob) == [(alice.sid, 0.5, True)]


def test_hidden_speakers_are_told_to_themselves_alone() -> None:
    house = House()
    ghost = house.join("ghost", grant={"hidden": True}).connect()
    bob = house.join("bob").connect()
    track = ghost.publish("c1")
    speak(house, **{track: 0.5})
    assert speakers(bob) == []
    assert speakers(ghost) == [(ghost.sid, 0.5, True)]


def test_the_departed_fall_silent() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1")
    speak(house, **{track: 0.5})
    speakers(bob)
    alice.request(leave=rtc.LeaveRequest())
    assert speakers(bob) == [(alice.sid, 0.0, False)]


def test_a_client_without_connection_is_told_when_it_is_back() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1")
    bob.drop_signal()
    speak(house, **{track: 0.5})
    bob.resume()
    assert speakers(bob) == [(alice.sid, 0.5, True)]


def test_unknown_tracks_and_rooms_are_ignored() -> None:
    house = House()
    alice, _ = house.pair()
    speak(house, TR_gone=0.5)
    house.event(Speakers("RM_gone", {TrackId("TR_x"): 0.5}))
    assert speakers(alice) == []


def test_pretended_speaker_is_told_to_all_and_ends() -> None:
    house = House()
    alice, bob = house.pair()
    alice.request(simulate=rtc.SimulateScenario(speaker_update=3))
    assert speakers(bob) == [(alice.sid, 0.9, True)]
    house.advance(2.9)
    assert speakers(bob) == []
    house.advance(0.2)
    assert speakers(bob) == [(alice.sid, 0.0, False)]


def test_camera_levels_do_not_matter() -> None:
    house = House()
    alice, bob = house.pair()
    alice.publish("c1", models.CAMERA)
    speak(house)
    assert speakers(bob) == []
