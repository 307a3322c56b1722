import pytest
from livekit.protocol import models, rtc
from livekit.protocol import room as messages

from rooms.administration import Administration, ProfileChange
from rooms.config import RoomConfig
from rooms.errors import (
    InvalidRequest,
    LimitExceeded,
    NotNow,
    ParticipantNotFound,
    RoomFull,
    RoomNotFound,
    ShuttingDown,
)
from sfu.control import LOSSY, RELIABLE, OpenTransport, SendData, Subscribe, Unsubscribe
from tests.harness.rooms import House


def administered(house: House) -> Administration:
    return Administration(house.service)


def wish(**fields: object) -> messages.RoomConfiguration:
    return messages.RoomConfiguration(**fields)


# --- rooms ---


def test_a_room_is_made_as_wished_and_seen_at_once() -> None:
    house = House()
    admin = administered(house)
    made = admin.create_room(
        "r", wish(empty_timeout=7, departure_timeout=3, max_participants=2, metadata="m")
    )
    assert (made.empty_timeout, made.departure_timeout, made.max_participants, made.metadata) == (
        7,
        3,
        2,
        "m",
    )
    assert admin.list_rooms() == [made]
    assert admin.list_rooms(["r", "absent", "r"]) == [made]
    house.advance(7.0)
    assert admin.list_rooms() == []


def test_what_is_left_out_is_as_configured() -> None:
    made = administered(House(RoomConfig(empty_timeout_s=9, max_participants=4))).create_room("r", wish())
    assert (made.empty_timeout, made.max_participants) == (9, 4)


def test_settings_that_clients_are_not_told_are_kept() -> None:
    house = House()
    asked = wish(
        tags={"team": "a"},
        agents=[{"agent_name": "bot"}],
        min_playout_delay=100,
        egress=messages.RoomEgress(),
    )
    administered(house).create_room("r", asked)
    settings = house.service.room("r").settings
    assert settings.tags == {"team": "a"}
    assert [agent.agent_name for agent in settings.agents] == ["bot"]
    assert settings.playout_delay_ms == (100, 40_950)
    assert settings.egress is not None


def test_a_playout_delay_goes_with_every_transport_of_the_room() -> None:
    house = House()
    administered(house).create_room("room", wish(min_playout_delay=200, max_playout_delay=100))
    house.join("alice", v0=True)
    delays = {command.playout_delay_ms for command in house.media.of(OpenTransport)}
    assert delays == {(200, 200)}


def test_creating_a_room_that_exists_changes_nothing() -> None:
    admin = administered(House())
    made = admin.create_room("r", wish(metadata="first"))
    assert admin.create_room("r", wish(metadata="second", max_participants=5)) == made


def test_rooms_that_are_not_made() -> None:
    house = House(RoomConfig(max_rooms=1, max_metadata_bytes=4, auto_create=False))
    admin = administered(house)
    for error, name, asked in (
        (InvalidRequest, "", wish()),
        (LimitExceeded, "r" * 257, wish()),
        (LimitExceeded, "r", wish(metadata="äää")),
    ):
        with pytest.raises(error):
            admin.create_room(name, asked)
    with pytest.raises(InvalidRequest):
        admin.create_room("r", wish(), "no such preset")
    admin.create_room("r", wish())
    with pytest.raises(RoomFull):
        admin.create_room("s", wish())
    admin.create_room("r", wish())
    house.service.shutdown()
    with pytest.raises(ShuttingDown):
        admin.create_room("s", wish())


def test_deleting_a_room_ends_it_for_everybody() -> None:
    house = House()
    alice, bob = house.pair()
    admin = administered(house)
    admin.delete_room("room")
    assert [guest.last("leave").reason for guest in (alice, bob)] == [models.ROOM_DELETED] * 2
    assert admin.list_rooms() == []
    with pytest.raises(RoomNotFound):
        admin.delete_room("room")


def test_room_metadata_reaches_everybody_and_may_be_emptied() -> None:
    house = House(RoomConfig(max_metadata_bytes=4))
    alice, _ = house.pair()
    admin = administered(house)
    assert admin.update_room_metadata("room", "new").metadata == "new"
    assert alice.last("room_update").room.metadata == "new"
    with pytest.raises(LimitExceeded):
        admin.update_room_metadata("room", "too long")
    assert admin.update_room_metadata("room", "").metadata == ""
    with pytest.raises(RoomNotFound):
        admin.update_room_metadata("absent", "m")


# --- participants ---


def test_participants_are_listed_with_what_they_publish() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1")
    admin = administered(house)
    listed = {info.identity: info for info in admin.list_participants("room")}
    assert set(listed) == {"alice", "bob"}
    assert [info.sid for info in listed["alice"].tracks] == [track]
    assert (listed["alice"].is_publisher, listed["bob"].is_publisher) == (True, False)
    assert listed["bob"].state == models.ParticipantInfo.ACTIVE
    assert admin.participant("room", "alice") == listed["alice"]
    bob.session.leave(models.CLIENT_INITIATED)
    assert [info.identity for info in admin.list_participants("room")] == ["alice"]
    assert admin.list_participants("absent") == []


def test_hidden_people_are_listed() -> None:
    house = House()
    house.join("spy", grant={"hidden": True})
    assert [info.identity for info in administered(house).list_participants("room")] == ["spy"]


def test_somebody_is_put_out_once() -> None:
    house = House()
    alice, _ = house.pair()
    admin = administered(house)
    admin.remove_participant("room", "alice")
    assert alice.last("leave").reason == models.PARTICIPANT_REMOVED
    with pytest.raises(ParticipantNotFound):
        admin.remove_participant("room", "alice")


@pytest.mark.parametrize(
    "operation",
    [
        lambda admin, room: admin.participant(room, "nobody"),
        lambda admin, room: admin.remove_participant(room, "nobody"),
        lambda admin, room: admin.mute_track(room, "nobody", "TR_x", True),
        lambda admin, room: admin.update_participant(room, "nobody", ProfileChange(name="n")),
        lambda admin, room: admin.update_subscriptions(room, "nobody", rtc.UpdateSubscription()),
    ],
)
def test_who_is_not_there_is_not_found(operation) -> None:
    house = House()
    house.pair()
    with pytest.raises(ParticipantNotFound):
        operation(administered(house), "room")
    with pytest.raises(RoomNotFound):
        operation(administered(house), "absent")


def test_muting_and_unmuting() -> None:
    house = House()
    alice, _ = house.pair()
    track = alice.publish("c1")
    admin = administered(house)
    info = admin.mute_track("room", "alice", track, True)
    assert info is not None
    assert info.muted
    assert admin.mute_track("room", "alice", "TR_unknown", True) is None
    with pytest.raises(NotNow):
        admin.mute_track("room", "alice", track, False)


def test_unmuting_where_it_is_allowed() -> None:
    house = House(RoomConfig(enable_remote_unmute=True))
    alice, _ = house.pair()
    track = alice.publish("c1", muted=True)
    info = administered(house).mute_track("room", "alice", track, False)
    assert info is not None
    assert not info.muted
    assert alice.last("mute") == rtc.MuteTrackRequest(sid=track, muted=False)


def test_a_profile_changes_where_something_is_said() -> None:
    house = House()
    _, bob = house.pair()
    admin = administered(house)
    told = admin.update_participant(
        "room", "alice", ProfileChange(name="Al", metadata="m", attributes={"a": "b", "c": "d"})
    )
    assert (told.name, told.metadata, told.attributes) == ("Al", "m", {"a": "b", "c": "d"})
    assert bob.last("update").participants[0].name == "Al"
    told = admin.update_participant("room", "alice", ProfileChange(attributes={"a": ""}))
    assert (told.name, told.metadata, told.attributes) == ("Al", "m", {"c": "d"})
    with pytest.raises(LimitExceeded):
        admin.update_participant("room", "alice", ProfileChange(name="n" * 257))


def test_a_permission_replaces_the_whole_one() -> None:
    house = House()
    alice, _ = house.pair()
    camera = alice.publish("c1", models.CAMERA)
    permission = models.ParticipantPermission(
        can_subscribe=True, can_publish=True, can_publish_sources=[models.MICROPHONE]
    )
    told = administered(house).update_participant("room", "alice", ProfileChange(permission=permission))
    assert told.permission == permission
    assert not told.tracks
    assert alice.last("track_unpublished").track_sid == camera


def test_a_permission_that_is_the_same_is_no_change() -> None:
    house = House()
    alice, _ = house.pair()
    before = administered(house).participant("room", "alice")
    assert (
        administered(house).update_participant("room", "alice", ProfileChange(permission=before.permission))
        == before
    )
    assert alice.kinds() == []


def test_subscriptions_are_made_for_somebody() -> None:
    house = House()
    alice, bob = house.pair()
    track = alice.publish("c1")
    admin = administered(house)
    house.media.commands.clear()
    admin.update_subscriptions("room", "bob", rtc.UpdateSubscription(track_sids=[track]))
    assert [command.track_id for command in house.media.of(Unsubscribe)] == [track]
    groups = [models.ParticipantTracks(participant_sid=bob.sid, track_sids=[track])]
    admin.update_subscriptions(
        "room", "bob", rtc.UpdateSubscription(subscribe=True, participant_tracks=groups)
    )
    assert [command.track_id for command in house.media.of(Subscribe)] == [track]


# --- data ---


def sent(house: House) -> list[tuple[tuple[str, ...], str, models.DataPacket]]:
    return [
        (command.transport_ids, command.label, models.DataPacket.FromString(command.payload))
        for command in house.media.of(SendData)
    ]


def test_data_reaches_everybody_from_nobody() -> None:
    house = House()
    alice, bob = house.pair()
    administered(house).send_data("room", models.UserPacket(payload=b"hi", topic="t"))
    ((legs, label, packet),) = sent(house)
    assert (set(legs), label) == ({alice.primary, bob.primary}, RELIABLE)
    assert (packet.user.payload, packet.user.topic, len(packet.user.nonce)) == (b"hi", "t", 16)
    assert (packet.participant_identity, packet.participant_sid) == ("", "")


@pytest.mark.parametrize("by_sid", [False, True])
def test_data_for_some(by_sid: bool) -> None:
    house = House()
    _, bob = house.pair()
    user = models.UserPacket(payload=b"hi", destination_sids=[bob.sid] if by_sid else [])
    administered(house).send_data("room", user, lossy=True, identities=[] if by_sid else ["bob", "nobody"])
    ((legs, label, packet),) = sent(house)
    assert (legs, label, packet.kind) == ((bob.primary,), LOSSY, models.DataPacket.LOSSY)
    assert list(packet.destination_identities) == list(packet.user.destination_identities)


def test_a_nonce_passes_once() -> None:
    house = House()
    house.pair()
    for _ in range(2):
        administered(house).send_data("room", models.UserPacket(payload=b"hi", nonce=b"0123456789abcdef"))
    assert len(sent(house)) == 1
    with pytest.raises(InvalidRequest):
        administered(house).send_data("room", models.UserPacket(nonce=b"short"))
    with pytest.raises(RoomNotFound):
        administered(house).send_data("absent", models.UserPacket())
