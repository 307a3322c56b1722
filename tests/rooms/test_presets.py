import pytest
from livekit.protocol import room as messages

from rooms.administration import Administration
from rooms.config import RoomConfig
from rooms.errors import InvalidJoin, InvalidRequest
from rooms.presets import Preset
from tests.harness.rooms import House

STAGE = messages.RoomConfiguration(
    max_participants=500, departure_timeout=60, metadata="stage", agents=[{"agent_name": "helper"}]
)


@pytest.fixture
def house() -> House:
    return House(RoomConfig(presets=(Preset("stage", STAGE),)))


def test_a_room_is_made_by_a_preset_and_what_the_call_says_goes_over_it(house: House) -> None:
    admin = Administration(house.service)
    wish = messages.RoomConfiguration(max_participants=7, empty_timeout=9)
    made = admin.create_room("r", wish, "stage")
    assert (made.max_participants, made.departure_timeout, made.metadata) == (7, 60, "stage")
    assert made.empty_timeout == 9
    assert [one.agent_name for one in house.service.room("r").settings.agents] == ["helper"]


def test_a_call_that_names_no_preset_of_the_servers_is_refused(house: House) -> None:
    admin = Administration(house.service)
    with pytest.raises(InvalidRequest, match="unknown room configuration"):
        admin.create_room("r", messages.RoomConfiguration(), "nope")
    assert admin.list_rooms() == []


def test_a_token_names_a_preset_and_its_own_configuration_goes_over_it(house: House) -> None:
    claims = {"room_preset": "stage", "room_config": {"maxParticipants": 3}}
    room = house.join("alice", claims=claims).last("join").room
    assert (room.max_participants, room.departure_timeout, room.metadata) == (3, 60, "stage")


def test_a_token_with_an_unknown_preset_makes_no_room_but_joins_one(house: House) -> None:
    claims = {"room_preset": "nope"}
    with pytest.raises(InvalidJoin, match="there is no room configuration nope"):
        house.join("alice", claims=claims)
    assert house.service.rooms() == []
    house.join("bob")
    house.join("alice", claims=claims)
