import pytest
from livekit.protocol import rtc

from rooms.config import RoomConfig
from tests.harness.rooms import Guest, House

Reason = rtc.RequestResponse


def update(guest: Guest, **fields) -> rtc.RequestResponse:
    guest.request(update_metadata=rtc.UpdateParticipantMetadata(**fields))
    return guest.last("request_response")


def test_change_reaches_everybody_and_is_confirmed() -> None:
    house = House()
    alice, bob = house.pair()
    response = update(alice, name="Alice", metadata="m", attributes={"a": "1"}, request_id=5)
    assert alice.kinds() == ["update", "refresh_token", "request_response"]
    assert (response.reason, response.request_id) == (Reason.OK, 5)
    assert response.update_metadata.name == "Alice"
    for guest in (alice, bob):
        (info,) = guest.last("update").participants
        assert (info.name, info.metadata, info.attributes) == ("Alice", "m", {"a": "1"})
    assert house.minter.claims[-1].name == "Alice"
    assert house.minter.claims[-1].attributes == {"a": "1"}


def test_empty_means_unchanged_except_for_attributes() -> None:
    house = House()
    alice, bob = house.pair()
    update(alice, name="Alice", metadata="m", attributes={"a": "1", "b": "2"})
    update(alice, attributes={"a": "", "c": "3"})
    (info,) = bob.last("update").participants
    assert (info.name, info.metadata, info.attributes) == ("Alice", "m", {"b": "2", "c": "3"})


def test_nothing_new_is_confirmed_without_an_update() -> None:
    house = House()
    alice, bob = house.pair()
    assert update(alice, request_id=6).reason == Reason.OK
    assert alice.kinds() == ["request_response"]
    assert bob.kinds() == []


def test_permission() -> None:
    house = House()
    alice = house.join("alice", grant={"can_update_own_metadata": False})
    bob = house.join("bob")
    bob.clear()
    response = update(alice, name="x", request_id=3)
    assert (response.reason, response.request_id) == (Reason.NOT_ALLOWED, 3)
    assert bob.kinds() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "n" * 257},
        {"metadata": "é" * 51},
        {"attributes": {"key": "v" * 48}},
    ],
)
def test_limits(fields: dict) -> None:
    house = House(RoomConfig(max_metadata_bytes=100, max_attributes_bytes=50))
    alice, bob = house.pair()
    response = update(alice, request_id=7, **fields)
    assert (response.reason, response.request_id) == (Reason.LIMIT_EXCEEDED, 7)
    assert "limit" in response.message
    assert bob.kinds() == []


def test_attributes_count_together() -> None:
    house = House(RoomConfig(max_attributes_bytes=50))
    alice, _ = house.pair()
    assert update(alice, attributes={"a": "v" * 40}).reason == Reason.OK
    assert update(alice, attributes={"b": "v" * 40}).reason == Reason.LIMIT_EXCEEDED
    assert update(alice, attributes={"a": "", "b": "v" * 40}).reason == Reason.OK
