import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models

from rooms.config import RoomConfig
from sfu.control import ReceiverOverflow, SendData, TransportId
from tests.harness.rooms import Guest, House

Packet = models.DataPacket


def received(house: House, guest: Guest) -> list[models.DataPacket]:
    """What a guest was sent since the last look."""
    commands = [command for command in house.media.of(SendData) if guest.primary in command.transport_ids]
    return [Packet.FromString(command.payload) for command in commands]


def user(payload: bytes = b"hello", **fields) -> models.UserPacket:
    return models.UserPacket(payload=payload, **fields)


def test_sender_is_written_by_the_server() -> None:
    house = House()
    alice, bob = house.pair()
    forged = Packet(
        kind=Packet.LOSSY,
        participant_identity="somebody",
        participant_sid="PA_somebody",
        sequence=1,
        user=user(participant_sid="PA_x", participant_identity="x", topic="chat"),
    )
    alice.send_data(forged.SerializeToString())
    (packet,) = received(house, bob)
    assert packet.kind == Packet.RELIABLE
    assert (packet.participant_identity, packet.participant_sid) == ("alice", alice.sid)
    assert (packet.user.participant_identity, packet.user.participant_sid) == ("alice", alice.sid)
    assert (packet.sequence, packet.user.topic, packet.user.payload) == (1, "chat", b"hello")
    assert received(house, alice) == []


def test_kind_is_that_of_the_channel() -> None:
    house = House()
    alice, bob = house.pair()
    alice.send_data(Packet(kind=Packet.RELIABLE, user=user()).SerializeToString(), "_lossy")
    (command,) = house.media.of(SendData)
    assert command.label == "_lossy"
    assert received(house, bob)[0].kind == Packet.LOSSY


def test_one_command_for_all_receivers() -> None:
    house = House()
    alice, bob = house.pair()
    carol = house.join("carol", v0=True).connect()
    alice.send_data(Packet(user=user()).SerializeToString())
    (command,) = house.media.of(SendData)
    assert set(command.transport_ids) == {bob.primary, carol.primary}
    assert carol.primary == carol.session.legs.subscribing


@pytest.mark.parametrize(
    "packet",
    [
        Packet(destination_identities=["bob"], user=user()),
        Packet(user=user(destination_identities=["bob"])),
        Packet(destination_identities=["bob"], rpc_request=models.RpcRequest(id="1")),
    ],
)
def test_destination_by_identity(packet: models.DataPacket) -> None:
    house = House()
    alice, bob = house.pair()
    carol = house.join("carol").connect()
    alice.send_data(packet.SerializeToString())
    assert received(house, carol) == []
    (got,) = received(house, bob)
    assert list(got.destination_identities) == ["bob"]
    if got.HasField("user"):
        assert list(got.user.destination_identities) == ["bob"]


def test_destination_by_sid_adds_to_identities() -> None:
    house = House()
    alice, bob = house.pair()
    carol, dave = house.join("carol").connect(), house.join("dave").connect()
    packet = Packet(user=user(destination_sids=[bob.sid], destination_identities=["carol"]))
    alice.send_data(packet.SerializeToString())
    assert [len(received(house, guest)) for guest in (bob, carol, dave)] == [1, 1, 0]


def test_nobody_sends_to_themselves() -> None:
    house = House()
    alice, bob = house.pair()
    alice.send_data(Packet(destination_identities=["alice"], user=user()).SerializeToString())
    assert not house.media.of(SendData)
    assert received(house, bob) == []


def test_without_permission_nothing_is_relayed() -> None:
    house = House()
    mute = house.join("mute", grant={"can_publish_data": False}).connect()
    house.join("bob").connect()
    for label in ("_reliable", "_lossy", "_data_track", "other"):
        mute.send_data(Packet(user=user()).SerializeToString(), label)
    assert not house.media.of(SendData)


@pytest.mark.parametrize("label", ["_reliable", "_lossy"])
def test_bytes_that_are_no_packet_are_dropped(label: str) -> None:
    house = House()
    alice, _ = house.pair()
    alice.send_data(b"\xff\xff\xff", label)
    assert not house.media.of(SendData)


@given(st.binary(max_size=300), st.sampled_from(["_reliable", "_lossy", "_data_track", "x", ""]))
def test_no_bytes_do_harm(payload: bytes, label: str) -> None:
    house = House()
    alice, bob = house.pair()
    alice.send_data(payload, label)
    for packet in received(house, bob):
        assert packet.participant_identity == "alice"


def test_sequence_numbers_are_passed_on_and_repeats_dropped() -> None:
    house = House()
    alice, bob = house.pair()
    for sequence in (1, 2, 2, 1, 5, 4, 0, 6):
        alice.send_data(Packet(sequence=sequence, user=user()).SerializeToString())
    assert [packet.sequence for packet in received(house, bob)] == [1, 2, 5, 0, 6]


def test_repeated_nonce_is_dropped() -> None:
    house = House()
    alice, bob = house.pair()
    for nonce in (b"n" * 16, b"n" * 16, b"m" * 16, b"", b""):
        alice.send_data(Packet(user=user(nonce=nonce)).SerializeToString())
    assert len(received(house, bob)) == 4


def test_late_receiver_gets_what_came_since_it_joined() -> None:
    house = House()
    alice = house.join("alice").connect()
    alice.send_data(Packet(sequence=1, user=user(b"before")).SerializeToString())
    house.advance(0.1)
    bob = house.join("bob")
    alice.send_data(Packet(sequence=2, user=user(b"first")).SerializeToString())
    alice.send_data(Packet(sequence=3, user=user(b"lost")).SerializeToString(), "_lossy")
    alice.send_data(Packet(sequence=4, destination_identities=["alice"], user=user()).SerializeToString())
    alice.send_data(Packet(sequence=5, user=user(b"second")).SerializeToString())
    assert received(house, bob) == []
    bob.connect()
    assert [packet.user.payload for packet in received(house, bob)] == [b"first", b"second"]
    alice.send_data(Packet(sequence=6, user=user(b"third")).SerializeToString())
    assert [packet.user.payload for packet in received(house, bob)] == [b"first", b"second", b"third"]


def test_what_came_before_the_join_is_not_made_up_for() -> None:
    house = House()
    alice = house.join("alice").connect()
    carol = house.join("carol")
    alice.send_data(Packet(sequence=1, user=user(b"early")).SerializeToString())
    house.advance(0.1)
    bob = house.join("bob").connect()
    carol.connect()
    assert received(house, bob) == []
    assert len(received(house, carol)) == 1


def test_nonces_are_forgotten_at_last() -> None:
    house = House()
    alice, bob = house.pair()
    for number in (0, *range(1001), 0):
        alice.send_data(Packet(user=user(nonce=number.to_bytes(16))).SerializeToString())
    assert len(received(house, bob)) == 1002


def test_cache_for_late_receivers_forgets() -> None:
    house = House(RoomConfig(reliable_cache_bytes=2000))
    alice = house.join("alice").connect()
    bob = house.join("bob")
    alice.send_data(Packet(user=user(b"old")).SerializeToString())
    house.advance(2.1)
    for number in range(5):
        alice.send_data(Packet(user=user(bytes([number]) * 600)).SerializeToString())
    bob.connect()
    assert [packet.user.payload[0] for packet in received(house, bob)] == [2, 3, 4]


def test_hidden_sender_leaves_no_trace() -> None:
    house = House()
    ghost = house.join("ghost", grant={"hidden": True}).connect()
    bob = house.join("bob").connect()
    ghost.send_data(Packet(sequence=1, user=user()).SerializeToString())
    ghost.send_data(b"raw", "other")
    for command in house.media.of(SendData):
        assert b"ghost" not in command.payload
        assert ghost.sid.encode() not in command.payload
    assert len(received(house, bob)) == 2


def test_agent_may_speak_for_somebody_else() -> None:
    house = House()
    agent = house.join("agent", claims={"kind": "agent"}).connect()
    alice, bob = house.pair()
    header = models.DataStream.Header(text_header=models.DataStream.TextHeader())
    chat = models.ChatMessage(message="hi")
    for sender in (agent, alice):
        sender.send_data(Packet(participant_identity="carol", chat_message=chat).SerializeToString())
        sender.send_data(Packet(participant_identity="carol", stream_header=header).SerializeToString())
        sender.send_data(Packet(participant_identity="carol", user=user()).SerializeToString())
    got = received(house, bob)
    assert [packet.participant_identity for packet in got] == ["carol", "carol", "agent"] + ["alice"] * 3
    assert got[0].chat_message.generated
    assert got[1].stream_header.text_header.generated
    assert not got[3].chat_message.generated


def test_transcription_is_for_agents() -> None:
    house = House()
    agent = house.join("agent", claims={"kind": "agent"}).connect()
    alice, bob = house.pair()
    transcription = Packet(transcription=models.Transcription(track_id="TR_x")).SerializeToString()
    alice.send_data(transcription)
    assert received(house, bob) == []
    agent.send_data(transcription)
    assert len(received(house, bob)) == 1


def test_metrics_go_to_those_who_may_have_them() -> None:
    house = House()
    alice, bob = house.pair()
    analyst = house.join("analyst", grant={"can_subscribe_metrics": True}).connect()
    metrics = Packet()
    metrics.metrics.timestamp_ms = 1
    alice.send_data(metrics.SerializeToString())
    assert received(house, bob) == []
    assert len(received(house, analyst)) == 1


def test_other_labels_become_user_packets() -> None:
    house = House()
    alice, bob = house.pair()
    alice.send_data(b"raw bytes", "custom")
    (packet,) = received(house, bob)
    assert packet == Packet(participant_identity="alice", user=user(b"raw bytes"))


def test_slow_receiver_starts_anew() -> None:
    house = House()
    _, bob = house.pair()
    house.event(ReceiverOverflow(TransportId(bob.primary)))
    leave = bob.last("leave")
    assert (leave.reason, leave.action) == (models.STATE_MISMATCH, 2)


def test_lossy_waits_for_nobody() -> None:
    house = House()
    alice = house.join("alice").connect()
    house.join("bob")
    alice.send_data(Packet(user=user()).SerializeToString(), "_lossy")
    assert not house.media.of(SendData)


def test_fields_from_the_future_are_relayed() -> None:
    house = House()
    alice, bob = house.pair()
    unknown = b"\xba\x3e\x03abc"  # field 999, length-delimited
    alice.send_data(Packet(sequence=1).SerializeToString() + unknown)
    (command,) = house.media.of(SendData)
    assert unknown in command.payload
    assert len(received(house, bob)) == 1
