"""The join sequence of both protocols, and refusals."""

import pytest
from livekit.protocol import models, rtc

from rooms.config import RoomConfig
from rooms.errors import InvalidJoin, LimitExceeded, NotAllowed, RoomFull, RoomNotFound, ShuttingDown
from sfu.control import Offer, OpenRouter, OpenTransport, Subscribe, TransportRole
from tests.harness.rooms import House


def test_single_pc_join_answers_at_once() -> None:
    house = House()
    alice = house.join("alice", offer_id=1)
    assert alice.kinds() == ["join", "update", "refresh_token", "answer"]
    assert alice.last("answer").id == 1
    assert alice.last("answer").type == "answer"
    join = alice.last("join")
    assert join.participant.identity == "alice"
    assert join.participant.state == models.ParticipantInfo.JOINING
    assert not join.subscriber_primary
    assert [type(command) for command in house.media.commands] == [OpenRouter, OpenTransport, Offer]


def test_single_pc_join_subscribes_before_its_offer_is_answered() -> None:
    house = House()
    alice = house.join("alice").connect()
    track = alice.publish("mic")
    bob = house.join("bob")
    assert bob.last("answer").mid_to_track_id == {"0": track}
    commands = [type(command) for command in house.media.commands]
    assert commands.index(Subscribe) < len(commands) - 1 - commands[::-1].index(Offer)


def test_dual_pc_join_gets_an_offer() -> None:
    house = House()
    alice = house.join("alice", v0=True)
    assert alice.kinds() == ["join", "update", "refresh_token", "offer"]
    assert alice.last("join").subscriber_primary
    opened = house.media.of(OpenTransport)
    assert [command.role for command in opened] == [TransportRole.PUBLISHER, TransportRole.SUBSCRIBER]
    assert 1 <= alice.last("offer").id <= 256


def test_dual_pc_subscribes_when_active() -> None:
    house = House()
    track = house.join("alice").connect().publish("mic")
    bob = house.join("bob", v0=True)
    assert not house.media.of(Subscribe)
    bob.connect()
    assert [command.track_id for command in house.media.of(Subscribe)] == [track]
    assert bob.last("offer").mid_to_track_id == {"0": track}


@pytest.mark.parametrize(("protocol", "grant"), [(2, {}), (17, {"can_subscribe": False})])
def test_dual_pc_without_subscriber_primary(protocol: int, grant: dict) -> None:
    house = House()
    alice = house.join("alice", v0=True, protocol=protocol, grant=grant)
    assert alice.kinds() == ["join", "update", "refresh_token"]
    assert not alice.last("join").subscriber_primary
    assert [command.role for command in house.media.of(OpenTransport)] == [TransportRole.PUBLISHER]


def test_others_learn_of_a_newcomer_at_once() -> None:
    house = House()
    alice, bob = house.pair()
    carol = house.join("carol")
    for other in (alice, bob):
        assert [info.identity for info in other.of("update")[0].participants] == ["carol"]
    assert {info.identity for info in carol.last("join").other_participants} == {"alice", "bob"}
    carol.connect()
    assert alice.last("update").participants[0].state == models.ParticipantInfo.ACTIVE


def test_tracks_of_the_join_request_are_added_before_the_token() -> None:
    house = House()
    track = rtc.AddTrackRequest(cid="c1", source=models.MICROPHONE)
    alice = house.join("alice", add_tracks=(track,))
    assert alice.kinds() == ["join", "update", "track_published", "refresh_token", "answer"]


def test_metadata_of_the_request_lies_over_the_tokens() -> None:
    house = House()
    claims = {"metadata": "token", "attributes": {"x": "token", "empty": "t", "t": "1"}}
    alice = house.join("alice", claims=claims, metadata="request", attributes={"x": "y", "empty": ""})
    participant = alice.last("join").participant
    assert participant.metadata == "request"
    assert participant.attributes == {"t": "1", "x": "y", "empty": "t"}


def test_companion_only_publishes() -> None:
    house = House()
    companion = house.join("alice", v0=True, publish="screen")
    participant = companion.last("join").participant
    assert participant.identity == "alice#screen"
    assert not participant.permission.can_subscribe


def test_client_capabilities_are_mirrored() -> None:
    house = House()
    house.join("alice", client={"client_protocol": 2, "capabilities": [1]})
    bob = house.join("bob")
    (alice,) = bob.last("join").other_participants
    assert alice.client_protocol == 2
    assert list(alice.capabilities) == [1]


def test_join_refusals_leave_nothing_behind() -> None:
    house = House(RoomConfig(auto_create=False, max_metadata_bytes=10))
    refused = [
        (RoomNotFound, {}),
        (InvalidJoin, {"identity": ""}),
        (InvalidJoin, {"room": ""}),
        (NotAllowed, {"metadata": "m", "grant": {"can_update_own_metadata": False}}),
        (NotAllowed, {"attributes": {"a": "b"}, "grant": {"can_update_own_metadata": False}}),
        (NotAllowed, {"publish": "screen", "grant": {"can_publish": False}}),
        (LimitExceeded, {"metadata": "eleven chars"}),
        (InvalidJoin, {"claims": {"name": "\ud800"}}),
        (InvalidJoin, {"identity": "\udfff"}),
        (InvalidJoin, {"identity": "a" * 257}),
        (InvalidJoin, {"identity": "alice", "publish": "x" * 252}),
        (InvalidJoin, {"room": "r" * 257}),
    ]
    for error, request in refused:
        with pytest.raises(error):
            house.join(**{"identity": "alice", **request})
    assert house.media.commands == []
    assert house.service.rooms() == []


def test_room_create_grant_makes_the_room() -> None:
    house = House(RoomConfig(auto_create=False))
    house.join("alice", grant={"room_create": True})
    house.join("bob")
    assert house.service.room("room") is not None


def test_full_room_refuses_clearly_but_not_a_returning_identity() -> None:
    house = House(RoomConfig(max_participants=1))
    alice = house.join("alice")
    with pytest.raises(RoomFull):
        house.join("bob")
    house.join("agent", claims={"kind": "agent"})
    house.join("recorder", grant={"recorder": True})
    assert alice.sink.closed_with is None
    house.join("alice")
    assert alice.last("leave").reason == models.DUPLICATE_IDENTITY


def test_nobody_joins_a_server_that_stops() -> None:
    house = House()
    alice = house.join("alice")
    house.service.shutdown()
    assert alice.last("leave").reason == models.SERVER_SHUTDOWN
    assert alice.sink.closed_with == 1000
    assert house.service.rooms() == []
    with pytest.raises(ShuttingDown):
        house.join("bob")


def test_room_config_of_the_token_applies_to_a_new_room() -> None:
    house = House()
    raw = {"emptyTimeout": 11, "departureTimeout": 12, "maxParticipants": 3, "metadata": "m", "unknown": 1}
    join = house.join("alice", claims={"room_config": raw}).last("join")
    assert (join.room.empty_timeout, join.room.departure_timeout) == (11, 12)
    assert (join.room.max_participants, join.room.metadata) == (3, "m")
    house.join("bob", claims={"room_config": {"metadata": "other"}})
    assert house.service.room("room").metadata == "m"


@pytest.mark.parametrize(
    "raw", [{"emptyTimeout": "x"}, {"emptyTimeout": -1}, {"agents": 7}, {"tags": {"a": {}}}]
)
def test_nonsense_in_room_config_is_ignored(raw: dict) -> None:
    house = House()
    assert house.join("alice", claims={"room_config": raw}).last("join").room.empty_timeout == 300
