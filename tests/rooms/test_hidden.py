"""Somebody hidden sees and hears everything and leaves no trace with the others."""

from livekit.protocol import models, rtc

from sfu.control import Quality, Speakers, Subscribe, TrackId
from tests.harness.rooms import House


def test_hidden_participants_leak_nowhere() -> None:
    house = House()
    alice = house.join("alice").connect()
    ghost = house.join("ghost", grant={"hidden": True}).connect()
    bob = house.join("bob").connect()
    track = ghost.publish("c1")
    ghost.publish("c2", models.CAMERA)
    ghost.request(update_metadata=rtc.UpdateParticipantMetadata(name="boo"))
    ghost.request(mute=rtc.MuteTrackRequest(sid=track, muted=True))
    ghost.request(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=1, name="dt"))
    ghost.request(simulate=rtc.SimulateScenario(speaker_update=1))
    room = house.service.room("room")
    assert room is not None
    house.event(Speakers(room.router_id, {TrackId(track): 0.9}))
    house.event(Quality(room.router_id, {ghost.session.legs.primary: 10.0, alice.session.legs.primary: 90.0}))
    ghost.drop_signal()
    ghost.resume()
    alice.resume()
    ghost.request(leave=rtc.LeaveRequest())
    house.advance(2)
    for guest in (alice, bob):
        for message in guest.sink.messages:
            text = str(message)
            assert ghost.sid not in text
            assert "ghost" not in text
            assert track not in text
    assert not house.media.of(Subscribe)


def test_hidden_participants_are_not_counted() -> None:
    house = House()
    house.join("ghost", grant={"hidden": True}).connect()
    alice = house.join("alice")
    assert alice.last("join").room.num_participants == 1
    assert not alice.last("join").other_participants


def test_hidden_subscribers_are_not_reported_to_publishers() -> None:
    house = House()
    alice = house.join("alice").connect()
    ghost = house.join("ghost", grant={"hidden": True}).connect()
    track = alice.publish("c1")
    ghost.offer()
    assert ghost.last("answer").mid_to_track_id == {"0": track}
    assert not alice.of("track_subscribed")


def test_hidden_participants_see_and_are_told_of_themselves() -> None:
    house = House()
    house.join("alice").connect()
    ghost = house.join("ghost", grant={"hidden": True}).connect()
    assert [info.identity for info in ghost.last("join").other_participants] == ["alice"]
    assert ghost.last("update").participants[0].state == models.ParticipantInfo.ACTIVE
    house.join("bob")
    assert ghost.last("update").participants[0].identity == "bob"


def test_asking_for_a_hidden_track_finds_nothing() -> None:
    house = House()
    ghost = house.join("ghost", grant={"hidden": True}).connect()
    bob = house.join("bob").connect()
    track = ghost.publish("c1")
    bob.request(subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=True))
    house.advance(61)
    assert bob.last("subscription_response").err == models.SE_TRACK_NOTFOUND
    assert not house.media.of(Subscribe)
