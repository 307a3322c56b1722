"""What an API key's rooms and participants may have, and how what is too much is refused."""

from collections.abc import Callable

import pytest
from livekit.protocol import models, rtc
from livekit.protocol import room as room_messages

from auth.grants import VideoGrant
from rooms.administration import Administration
from rooms.config import RoomConfig
from rooms.errors import KeyExhausted, RoomFull
from rooms.limits import KeyLimits, Limits, smallest
from rooms.moderation import change_grant
from tests.harness.rooms import House


def house_with(**limits: int) -> House:
    return House(RoomConfig(limits=Limits(**limits)))


def test_rooms_of_a_key() -> None:
    house = house_with(key_rooms=2)
    first = house.join("a", "one")
    house.join("a", "two")
    with pytest.raises(KeyExhausted, match="devkey has as many rooms as it may: 2"):
        house.join("a", "three")
    house.join("b", "two")
    # Another key has its own.
    house.join("a", "three", claims={"issuer": "other"})
    first.session.room.close(models.ROOM_DELETED)
    house.join("a", "four")
    assert house.service._context.usage.rooms == {"devkey": 2, "other": 1}


def test_rooms_of_a_key_made_by_the_api() -> None:
    house = house_with(key_rooms=1)
    administration = Administration(house.service)
    nothing = room_messages.RoomConfiguration()
    administration.create_room("one", nothing, api_key="devkey")
    administration.create_room("one", nothing, api_key="devkey")
    with pytest.raises(KeyExhausted):
        administration.create_room("two", nothing, api_key="devkey")
    administration.create_room("nobody's", nothing)


def test_participants_of_a_key_in_all_rooms() -> None:
    house = house_with(key_participants=2)
    house.join("a", "one")
    bob = house.join("b", "two")
    with pytest.raises(KeyExhausted, match="devkey has as many participants as it may: 2"):
        house.join("c", "one")
    # Who comes again replaces themselves, and agents are there for others.
    house.join("a", "one")
    house.join("helper", "one", claims={"kind": "agent"})
    bob.session.leave(models.CLIENT_INITIATED)
    house.join("c", "one")


def test_nothing_is_kept_of_who_has_gone() -> None:
    house = house_with(key_participants=5)
    guests = [house.join(name, f"room-{name}") for name in "abc"]
    guests.append(house.join("a", "room-a"))
    helper = house.join("helper", "room-a", claims={"kind": "agent"})
    # Somebody who becomes a recorder meanwhile was counted all the same.
    change_grant(guests[1].session, VideoGrant(room_join=True, room="room-b", recorder=True))
    for guest in (*guests[1:], helper):
        guest.session.leave(models.CLIENT_INITIATED)
    house.advance(400.0)
    usage = house.service._context.usage
    assert (usage.rooms, usage.participants) == ({}, {})


def test_a_rooms_participants_whatever_its_token_says() -> None:
    house = house_with(room_participants=2)
    generous = {"room_config": {"maxParticipants": 10}}
    house.join("a", claims=generous)
    house.join("b", claims=generous)
    with pytest.raises(RoomFull, match="room is full: participants are limited to 2"):
        house.join("c", claims=generous)


def publish_until_refused(house: House, *names: str) -> tuple[int, str]:
    """How many tracks there are, and why there are no more."""
    guests = [house.join(name).connect() for name in names]
    for number in range(12):
        guest = guests[number % len(guests)]
        guest.add_track(f"cid-{number}", type=models.AUDIO, source=models.MICROPHONE)
        if refusals := guest.of("request_response"):
            assert refusals[0].reason == rtc.RequestResponse.LIMIT_EXCEEDED
            assert refusals[0].add_track.cid == f"cid-{number}"
            return sum(len(guest.of("track_published")) for guest in guests), refusals[0].message
    raise AssertionError("never refused")


def test_tracks_of_a_participant() -> None:
    assert publish_until_refused(house_with(participant_tracks=3), "a") == (
        3,
        "a participant may have 3 tracks",
    )


def test_tracks_of_a_room() -> None:
    assert publish_until_refused(house_with(room_tracks=5), "a", "b") == (5, "a room may have 5 tracks")


def test_the_servers_own_limit_holds_beside_a_keys() -> None:
    house = House(RoomConfig(max_tracks=2, limits=Limits(participant_tracks=10)))
    assert publish_until_refused(house, "a") == (2, "a participant may have 2 tracks")


def test_a_key_with_limits_of_its_own_keeps_the_others() -> None:
    config = RoomConfig(
        limits=Limits(key_rooms=1, room_participants=7),
        key_limits=(KeyLimits("devkey", (("key_rooms", 0),)), KeyLimits("other", (("key_rooms", 2),))),
    )
    assert config.limits_of("devkey") == Limits(key_rooms=0, room_participants=7)
    assert config.limits_of("other") == Limits(key_rooms=2, room_participants=7)
    assert config.limits_of("nobody") == config.limits
    house = House(config)
    for number in range(5):
        house.join("a", f"room-{number}")


def test_zero_is_no_limit() -> None:
    assert smallest(0, 5, 3) == 3
    assert smallest(0, 0) == 0


@pytest.mark.parametrize("way", [Administration.move_participant, Administration.forward_participant])
def test_a_room_made_on_the_way_is_the_callers(way: Callable[..., None]) -> None:
    house = house_with(key_rooms=1)
    administration = Administration(house.service)
    for name in ("ann", "ben"):
        house.join(name, claims={"issuer": "app"}).connect()
    way(administration, "room", "ann", "attic", "backend")
    with pytest.raises(KeyExhausted):
        way(administration, "room", "ben", "cellar", "backend")
    assert house.service.room("cellar") is None
    assert "ben" in house.service.room("room").sessions
    way(administration, "room", "ben", "attic", "backend")
