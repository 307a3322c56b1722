import struct

import pytest
from livekit.protocol import models, rtc

from rooms.config import RoomConfig
from rooms.data_tracks import DataTrackHandles
from sfu.control import SendData
from tests.harness.rooms import Guest, House

Reason = rtc.RequestResponse


def publish(guest: Guest, handle: int = 1, name: str = "dt") -> str:
    guest.request(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=handle, name=name))
    return guest.last("publish_data_track_response").info.sid


def subscribe(guest: Guest, *tracks: str, wanted: bool = True) -> None:
    updates = [rtc.UpdateDataSubscription.Update(track_sid=track, subscribe=wanted) for track in tracks]
    guest.request(update_data_subscription=rtc.UpdateDataSubscription(updates=updates))


def packet(handle: int, payload: bytes = b"payload", first: int = 0x18) -> bytes:
    return struct.pack("!BBHHHI", first, 0, handle, 7, 8, 90_000) + payload


def test_publish_is_answered_and_told() -> None:
    house = House()
    alice, bob = house.pair()
    sid = publish(alice)
    assert sid.startswith("DTR_")
    assert alice.kinds() == ["publish_data_track_response", "update"]
    (info,) = bob.last("update").participants
    assert [(track.sid, track.name, track.pub_handle) for track in info.data_tracks] == [(sid, "dt", 1)]


@pytest.mark.parametrize(
    ("handle", "name", "reason"),
    [
        (0, "x", Reason.INVALID_HANDLE),
        (65_536, "x", Reason.INVALID_HANDLE),
        (2, "", Reason.INVALID_NAME),
        (2, "x" * 257, Reason.INVALID_NAME),
        (1, "x", Reason.DUPLICATE_HANDLE),
        (2, "dt", Reason.DUPLICATE_NAME),
    ],
)
def test_publish_refusals(handle: int, name: str, reason: int) -> None:
    house = House()
    alice = house.join("alice").connect()
    publish(alice)
    alice.request(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=handle, name=name))
    response = alice.last("request_response")
    assert response.reason == reason
    assert response.publish_data_track.pub_handle == handle


def test_publish_needs_permission_and_is_bounded() -> None:
    house = House(RoomConfig(max_data_tracks=2))
    mute = house.join("mute", grant={"can_publish_data": False})
    mute.request(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=1, name="x"))
    assert mute.last("request_response").reason == Reason.NOT_ALLOWED
    alice = house.join("alice")
    for handle in (1, 2, 3):
        name = f"dt{handle}"
        alice.request(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=handle, name=name))
    assert alice.last("request_response").reason == Reason.LIMIT_EXCEEDED


def test_packets_reach_subscribers_under_the_announced_handle() -> None:
    house = House()
    alice, bob = house.pair()
    house.join("carol").connect()
    publish(bob, 9, "of bob")
    sid = publish(alice, 300)
    subscribe(bob, sid)
    ((handle, described),) = bob.last("data_track_subscriber_handles").sub_handles.items()
    assert (described.publisher_identity, described.publisher_sid) == ("alice", alice.sid)
    assert described.track_sid == sid
    alice.send_data(packet(300), "_data_track")
    (command,) = house.media.of(SendData)
    assert command == SendData((bob.primary,), "_data_track", packet(handle))


def test_automatic_subscription() -> None:
    house = House()
    alice = house.join("alice").connect()
    first = publish(alice, 1, "one")
    bob = house.join("bob", auto_subscribe_data_track=True).connect()
    second = publish(alice, 2, "two")
    handles = bob.last("data_track_subscriber_handles").sub_handles
    assert {track.track_sid for track in handles.values()} == {first, second}
    alice.request(unpublish_data_track_request=rtc.UnpublishDataTrackRequest(pub_handle=1))
    handles = bob.last("data_track_subscriber_handles").sub_handles
    assert [track.track_sid for track in handles.values()] == [second]


def test_unsubscribe_and_unpublish() -> None:
    house = House()
    alice, bob = house.pair()
    sid = publish(alice)
    subscribe(bob, sid)
    subscribe(bob, sid, wanted=False)
    assert not bob.last("data_track_subscriber_handles").sub_handles
    alice.send_data(packet(1), "_data_track")
    assert not house.media.of(SendData)
    alice.request(unpublish_data_track_request=rtc.UnpublishDataTrackRequest(pub_handle=1))
    assert alice.last("unpublish_data_track_response").info.sid == sid
    assert not bob.last("update").participants[0].data_tracks
    alice.request(unpublish_data_track_request=rtc.UnpublishDataTrackRequest(pub_handle=1))
    assert alice.last("request_response").reason == Reason.NOT_FOUND


def test_tracks_of_the_departed_lose_their_handles() -> None:
    house = House()
    alice, bob = house.pair()
    subscribe(bob, publish(alice))
    alice.request(leave=rtc.LeaveRequest())
    assert not bob.last("data_track_subscriber_handles").sub_handles


@pytest.mark.parametrize(
    "bad", [b"", packet(1)[:11], packet(2), packet(1, first=0x38), packet(1, first=0xFF)]
)
def test_bad_packets_are_dropped(bad: bytes) -> None:
    house = House()
    alice, bob = house.pair()
    subscribe(bob, publish(alice))
    alice.send_data(bad, "_data_track")
    assert not house.media.of(SendData)


def test_nobody_sends_on_the_track_of_another() -> None:
    house = House()
    alice, bob = house.pair()
    subscribe(bob, publish(alice, 5))
    bob.send_data(packet(5), "_data_track")
    assert not house.media.of(SendData)


def test_hidden_publishers_stay_hidden() -> None:
    house = House()
    ghost = house.join("ghost", grant={"hidden": True}).connect()
    bob = house.join("bob", auto_subscribe_data_track=True).connect()
    subscribe(bob, publish(ghost))
    ghost.send_data(packet(1), "_data_track")
    assert not house.media.of(SendData)
    assert not any(message.sub_handles for message in bob.of("data_track_subscriber_handles"))


def test_without_can_subscribe_nothing_comes() -> None:
    house = House()
    alice = house.join("alice").connect()
    bob = house.join("bob", grant={"can_subscribe": False}, auto_subscribe_data_track=True).connect()
    subscribe(bob, publish(alice))
    alice.send_data(packet(1), "_data_track")
    assert not house.media.of(SendData)


def test_encoding_and_schema_are_copied() -> None:
    house = House()
    alice = house.join("alice").connect()
    request = rtc.PublishDataTrackRequest(
        pub_handle=1,
        name="dt",
        encryption=models.Encryption.GCM,
        frame_encoding=models.DataTrackFrameEncoding(custom="cbor"),
        schema=models.DataTrackSchemaId(name="s"),
    )
    alice.request(publish_data_track_request=request)
    info = alice.last("publish_data_track_response").info
    assert (info.frame_encoding.custom, info.schema.name) == ("cbor", "s")
    assert info.encryption == models.Encryption.GCM


def test_handles_come_back_late_and_run_out() -> None:
    handles = DataTrackHandles()
    first = handles.take()
    assert first == 1
    handles.free(first)
    assert [handles.take() for _ in range(65_534)] == list(range(2, 65_536))
    assert handles.take() == 1
    assert handles.take() is None
