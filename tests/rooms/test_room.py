import pytest
from livekit.protocol import models, rtc

from rooms.config import RoomConfig
from rooms.errors import RoomFull
from rooms.room_settings import RoomSettings
from sfu.control import CloseRouter, OpenRouter, Subscribe
from tests.harness.rooms import House


def test_room_closes_after_the_last_departure() -> None:
    house = House()
    alice = house.join("alice").connect()
    alice.request(leave=rtc.LeaveRequest())
    house.advance(19.9)
    assert house.service.room("room") is not None
    house.advance(0.2)
    assert house.service.room("room") is None
    assert house.service.rooms() == []
    assert len(house.media.of(CloseRouter)) == 1


def test_a_return_keeps_it_open() -> None:
    house = House()
    first = house.join("alice")
    first.request(leave=rtc.LeaveRequest())
    house.advance(15)
    house.join("alice").connect()
    house.advance(100)
    assert house.service.room("room") is not None


def test_a_closed_name_comes_back_as_another_room() -> None:
    house = House()
    alice = house.join("alice")
    alice.request(leave=rtc.LeaveRequest())
    house.advance(30)
    again = house.join("alice")
    assert again.last("join").room.sid != alice.last("join").room.sid
    assert len(house.media.of(OpenRouter)) == 2


def test_room_made_in_advance_waits_longer_and_keeps_its_settings() -> None:
    house = House()
    room = house.service.create_room("room", RoomSettings(50.0, 5.0, 7, metadata="m"))
    assert house.service.create_room("room", house.service.default_settings()) is room
    house.advance(49)
    assert house.service.room("room") is room
    house.advance(2)
    assert house.service.room("room") is None


def test_agents_and_recorders_keep_no_room_alive_and_are_not_counted() -> None:
    house = House()
    agent = house.join("agent", claims={"kind": "agent"}).connect()
    recorder = house.join("recorder", grant={"recorder": True}).connect()
    alice = house.join("alice").connect()
    assert alice.last("join").room.num_participants == 1
    assert alice.last("join").room.active_recording
    alice.request(leave=rtc.LeaveRequest())
    house.advance(21)
    for guest in (agent, recorder):
        assert guest.last("leave").reason == models.ROOM_CLOSED


def test_counts_are_told_together_soon() -> None:
    house = House()
    alice, bob = house.pair()
    house.join("carol")
    house.join("dave")
    alice.publish("c1")
    assert not bob.of("room_update")
    house.advance(1)
    (update,) = bob.of("room_update")
    assert (update.room.num_participants, update.room.num_publishers) == (4, 1)


def test_recording_and_metadata_are_told_at_once() -> None:
    house = House()
    alice, _ = house.pair()
    recorder = house.join("recorder", grant={"recorder": True, "hidden": True})
    assert alice.last("room_update").room.active_recording
    recorder.request(leave=rtc.LeaveRequest())
    assert not alice.last("room_update").room.active_recording
    room = house.service.room("room")
    assert room is not None
    room.set_metadata("news")
    assert alice.last("room_update").room.metadata == "news"


def test_rooms_are_worlds_apart() -> None:
    house = House()
    alice = house.join("alice", "one").connect()
    bob = house.join("bob", "two").connect()
    track = alice.publish("c1")
    bob.clear()
    bob.request(subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=True))
    alice.send_data(models.DataPacket(user=models.UserPacket(payload=b"x")).SerializeToString())
    house.join("carol", "one")
    assert bob.kinds() == []


def test_deleted_room() -> None:
    house = House()
    alice, bob = house.pair()
    room = house.service.room("room")
    assert room is not None
    room.close(models.ROOM_DELETED)
    room.close(models.ROOM_DELETED)
    for guest in (alice, bob):
        (leave,) = guest.of("leave")
        assert leave.reason == models.ROOM_DELETED
        assert guest.sink.closed_with == 1000
    assert house.service.room("room") is None


def test_number_of_rooms_is_bounded() -> None:
    house = House(RoomConfig(max_rooms=2))
    house.join("alice", "one")
    house.join("alice", "two")
    with pytest.raises(RoomFull):
        house.join("alice", "three")
    house.join("bob", "two")


def test_synced_streams_share_an_id() -> None:
    house = House()
    claims = {"room_config": {"syncStreams": True}}
    alice = house.join("alice", claims=claims).connect()
    house.join("bob").connect()
    alice.publish("c1")
    alice.publish("c2", models.CAMERA)
    assert {command.stream_id for command in house.media.of(Subscribe)} == {f"{alice.sid}|camera"}
