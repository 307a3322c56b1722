from dataclasses import replace

import pytest
from livekit.protocol import models, rtc
from livekit.protocol.room import RoomConfiguration

from rooms.administration import Administration
from rooms.config import RoomConfig
from rooms.errors import InvalidRequest, NotNow, RoomFull, RoomLocked, RoomNotFound
from sfu.control import MoveTransport, SendData, Subscribe, Unsubscribe
from tests.harness.rooms import Guest, House


def moved(guest: Guest, destination: str = "other") -> rtc.RoomMovedResponse:
    Administration(guest.house.service).move_participant(guest.session.room.name, guest.identity, destination)
    guest.house.pump()
    return guest.last("room_moved")


@pytest.fixture(params=[False, True], ids=["v1", "v0"])
def v0(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_the_client_is_told_where_it_is_and_who_is_there(v0: bool) -> None:
    house = House()
    alice, _ = house.pair(v0=v0)
    carol = house.join("carol", "other", v0=v0).connect()
    old_sid = alice.sid
    told = moved(alice)
    assert told.room.name == "other"
    assert (told.participant.identity, told.participant.sid) == ("alice", alice.sid)
    assert alice.sid != old_sid
    assert [info.sid for info in told.other_participants] == [carol.sid]
    assert house.minter.claims[int(told.token.removeprefix("token-")) - 1].video.room == "other"
    assert alice.kinds()[0] == "room_moved"


def test_the_others_see_a_departure_and_a_join(v0: bool) -> None:
    house = House()
    alice, bob = house.pair(v0=v0)
    carol = house.join("carol", "other", v0=v0).connect()
    old_sid = alice.sid
    moved(alice)
    (gone,) = bob.last("update").participants
    assert (gone.sid, gone.state) == (old_sid, models.ParticipantInfo.DISCONNECTED)
    (come,) = carol.last("update").participants
    assert (come.sid, come.state) == (alice.sid, models.ParticipantInfo.ACTIVE)
    assert [session.participant.identity for session in house.service.room("room").sessions.values()] == [
        "bob"
    ]
    assert ("participant_left", "alice") in house.observer.heard
    assert house.observer.heard[-1] == ("participant_joined", "alice")


def test_tracks_go_along(v0: bool) -> None:
    house = House()
    alice, bob = house.pair(v0=v0)
    carol = house.join("carol", "other", v0=v0).connect()
    mine, bobs, carols = alice.publish("a"), bob.publish("b"), carol.publish("c")
    house.media.commands.clear()
    told = moved(alice)
    assert [info.sid for info in told.participant.tracks] == [mine]
    ended = {(command.transport_id, command.track_id) for command in house.media.of(Unsubscribe)}
    assert ended == {
        (alice.session.legs.subscribing, bobs),
        (bob.session.legs.subscribing, mine),
    }
    begun = {(command.transport_id, command.track_id) for command in house.media.of(Subscribe)}
    assert begun == {
        (alice.session.legs.subscribing, carols),
        (carol.session.legs.subscribing, mine),
    }
    (stream,) = {command.stream_id for command in house.media.of(Subscribe) if command.track_id == mine}
    assert stream == f"{alice.sid}|{mine}"
    router = house.service.room("other").router_id
    moves = {(command.transport_id, command.router_id) for command in house.media.of(MoveTransport)}
    assert moves == {(leg, router) for leg in alice.session.legs.all()}


def test_mute_and_data_work_in_the_new_room_only() -> None:
    house = House()
    alice, bob = house.pair()
    carol = house.join("carol", "other").connect()
    track = alice.publish("a")
    moved(alice)
    bob.clear()
    house.media.commands.clear()
    alice.request(mute=rtc.MuteTrackRequest(sid=track, muted=True))
    alice.send_data(models.DataPacket(user=models.UserPacket(payload=b"hi")).SerializeToString())
    assert carol.last("update").participants[0].tracks[0].muted
    assert [command.transport_ids for command in house.media.of(SendData)] == [(carol.primary,)]
    assert "update" not in bob.kinds()


def test_data_tracks_get_handles_of_the_new_room() -> None:
    house = House()
    alice, bob = house.pair()
    wants = {"auto_subscribe_data_track": True}
    carol = house.join("carol", "other", **wants).connect()
    dave = house.join("dave", **wants).connect()
    for guest, name in ((alice, "a"), (carol, "c"), (bob, "b")):
        guest.request(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=1, name=name))
    moved(alice)
    assert [
        track.publisher_identity for track in carol.last("data_track_subscriber_handles").sub_handles.values()
    ] == ["alice"]
    left = dave.last("data_track_subscriber_handles").sub_handles.values()
    assert [track.publisher_identity for track in left] == ["bob"]


def test_the_room_is_made_and_the_empty_one_ends() -> None:
    house = House(RoomConfig(departure_timeout_s=5))
    alice = house.join("alice").connect()
    moved(alice)
    house.advance(6)
    assert [room.name for room in house.service.rooms()] == ["other"]


def test_a_resume_finds_the_new_room() -> None:
    house = House()
    alice, _ = house.pair()
    moved(alice)
    alice.request_ = replace(alice.request_, claims=house.minter.claims[-1])
    alice.drop_signal()
    assert "reconnect" in alice.resume().kinds()


def test_there_and_back_again() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("a")
    moved(alice)
    moved(alice, "room")
    (back,) = bob.last("update").participants
    assert (back.sid, [info.sid for info in back.tracks]) == (alice.sid, [track])
    assert track in bob.session.subscriptions.active


def test_the_same_identity_there_is_replaced() -> None:
    house = House()
    alice, _ = house.pair()
    double = house.join("alice", "other").connect()
    moved(alice)
    assert double.last("leave").reason == models.DUPLICATE_IDENTITY
    assert house.service.room("other").sessions["alice"] is alice.session


def test_who_is_not_moved() -> None:
    house = House(RoomConfig(auto_create=False))
    admin = Administration(house.service)
    admin.create_room("room", configured())
    admin.create_room("full", configured(max_participants=1))
    alice, _ = house.pair()
    house.join("carol", "full")
    joining = house.join("dave")
    for error, guest, destination in (
        (InvalidRequest, alice, "room"),
        (RoomNotFound, alice, "absent"),
        (RoomFull, alice, "full"),
        (NotNow, joining, "full"),
    ):
        with pytest.raises(error):
            admin.move_participant("room", guest.identity, destination)
    alice.drop_signal()
    with pytest.raises(NotNow):
        admin.move_participant("room", "alice", "full")
    assert not house.media.of(MoveTransport)


def configured(**fields: object):
    return RoomConfiguration(**fields)


def test_who_is_moved_into_a_locked_room_may_come_back() -> None:
    house = House()
    alice, _ = house.pair()
    house.join("carol", "other").connect()
    Administration(house.service).lock_room("other")
    moved(alice)
    assert house.join("alice", "other").last("join").room.name == "other"
    with pytest.raises(RoomLocked):
        house.join("bob", "other")
