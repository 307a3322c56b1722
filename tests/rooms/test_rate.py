"""The rate of data: exact over time, a burst at once, and what is told of what is too much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from rooms.config import RoomConfig
from rooms.limits import KeyLimits, Limits
from rooms.rate import Gcra, participant_rate
from sfu.control import SendData
from tests.harness.rooms import Guest, House


def packet(payload: bytes = b"x") -> bytes:
    return models.DataPacket(user=models.UserPacket(payload=payload)).SerializeToString()


def heard(house: House, guest: Guest) -> int:
    """Messages that the data plane was told to send to a guest."""
    return sum(guest.primary in command.transport_ids for command in house.media.of(SendData))


def test_a_burst_passes_and_then_the_rate() -> None:
    limit = Gcra(10.0)
    passed = 0
    for step in range(300):
        now = step / 100
        if limit.fits(now, 1):
            limit.take(now, 1)
            passed += 1
    # One second's worth at once, and three seconds at the rate.
    assert passed == pytest.approx(10 + 30, abs=1)


@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 50)), max_size=200), st.floats(1, 1000))
def test_never_more_than_rate_and_burst(steps: list[tuple[float, int]], per_s: float) -> None:
    limit, now, taken, largest = Gcra(per_s), 0.0, 0, 0
    for wait, cost in steps:
        now += wait
        if limit.fits(now, cost):
            limit.take(now, cost)
            taken += cost
            largest = max(largest, cost)
    # What is larger than a burst passes when nothing did for a while, and is paid back.
    assert taken <= per_s * (now + 1.0) + largest + 0.01


def test_what_is_larger_than_a_burst_passes_alone() -> None:
    limit = Gcra(10.0)
    assert limit.fits(0.0, 1000)
    limit.take(0.0, 1000)
    assert not limit.fits(99.0, 1)
    assert limit.fits(100.0, 1)


def test_without_limits_nothing_is_counted() -> None:
    assert participant_rate(Limits()) is None


@pytest.mark.parametrize("label", ["_reliable", "_lossy"])
def test_too_many_messages_are_refused_counted_and_told(label: str) -> None:
    house = House(RoomConfig(limits=Limits(participant_messages_per_s=5)))
    alice, bob = house.pair()
    for _ in range(8):
        alice.send_data(packet(), label)
    assert heard(house, bob) == 5
    (told,) = alice.of("request_response")
    assert told.reason == rtc.RequestResponse.LIMIT_EXCEEDED
    assert told.message == "a participant may send 5 data messages per second"
    assert alice.session.data.rate.refused == 3
    house.advance(1.0)
    alice.send_data(packet(), label)
    assert heard(house, bob) == 6


def test_too_many_bytes_are_refused() -> None:
    house = House(RoomConfig(limits=Limits(participant_bytes_per_s=1000)))
    alice, bob = house.pair()
    for _ in range(3):
        alice.send_data(packet(b"x" * 400))
    assert heard(house, bob) == 2
    assert "1000 bytes" in alice.of("request_response")[0].message


def test_a_room_has_a_limit_of_its_own() -> None:
    house = House(RoomConfig(limits=Limits(room_messages_per_s=4)))
    alice, bob = house.pair()
    for _ in range(3):
        alice.send_data(packet())
        bob.send_data(packet())
    assert heard(house, alice) + heard(house, bob) == 4
    assert "a room may send" in bob.of("request_response")[0].message
    assert alice.session.room.data_rate.refused == 2


def test_the_told_hear_it_once_a_second() -> None:
    house = House(RoomConfig(limits=Limits(participant_messages_per_s=1)))
    alice, _ = house.pair()
    for _ in range(40):
        alice.send_data(packet())
        house.advance(0.05)
    assert 2 <= len(alice.of("request_response")) <= 3


def test_a_key_may_have_another_limit() -> None:
    config = RoomConfig(
        limits=Limits(participant_messages_per_s=1),
        key_limits=(KeyLimits("devkey", (("participant_messages_per_s", 3),)),),
    )
    house = House(config)
    alice, bob = house.pair()
    for _ in range(5):
        alice.send_data(packet())
    assert heard(house, bob) == 3
