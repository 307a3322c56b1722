"""The traps that real clients set for a server, by their number in LiveKit's protocol as we found it.

Those about extensions, payload types and key frames are the data plane's, those about HTTP the doors'.
"""

import re

import pytest
from livekit.protocol import models, rtc

from sfu.control import OfferReady, Quality, Subscribe, TransportId
from tests.harness.rooms import Guest, House

SID = re.compile(r"(PA|RM|DTR|TR)_[A-Za-z0-9]{12,}")


@pytest.fixture
def house() -> House:
    return House()


def test_trap_1_protocol_is_below_18(house: House) -> None:
    assert house.join("alice", protocol=18).last("join").server_info.protocol == 17


def test_trap_3_answers_of_one_peer_connection_map_mids_to_tracks(house: House) -> None:
    track = house.join("alice").connect().publish("c1")
    bob = house.join("bob").connect()
    bob.offer(offer_id=2)
    for answer in bob.of("answer"):
        assert list(answer.mid_to_track_id.values()) == [track]


def test_trap_4_streams_are_named_after_participant_and_track(house: House) -> None:
    alice = house.join("alice").connect()
    house.join("bob").connect()
    track = alice.publish("c1")
    (command,) = house.media.of(Subscribe)
    assert (command.stream_id, command.track_id) == (f"{alice.sid}|{track}", track)


@pytest.mark.parametrize("v0", [True, False])
def test_trap_5_update_comes_before_the_sdp_with_the_track(house: House, v0: bool) -> None:
    alice = house.join("alice").connect()
    bob = house.join("bob", v0=v0).connect()
    bob.clear()
    track = alice.publish("c1")
    kinds = bob.kinds()
    sdp = "offer" if v0 else "media_sections_requirement"
    first_with_track = next(
        index
        for index, message in enumerate(bob.sink.messages)
        if any(track in [t.sid for t in info.tracks] for info in message.update.participants)
    )
    assert first_with_track < kinds.index(sdp)


@pytest.mark.parametrize("offer_id", [0, 1, 77])
def test_trap_6_answer_has_the_id_of_its_offer(house: House, offer_id: int) -> None:
    alice = house.join("alice", offer_id=offer_id).connect()
    alice.offer(offer_id=offer_id)
    assert [answer.id for answer in alice.of("answer")] == [offer_id, offer_id]
    assert [answer.type for answer in alice.of("answer")] == ["answer", "answer"]


def test_trap_7_every_sid_is_well_formed(house: House) -> None:
    alice, bob = house.pair()
    alice.publish("c1")
    alice.publish("c2", models.CAMERA)
    alice.request(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=1, name="dt"))
    carol = house.join("carol")
    join = carol.last("join")
    assert join.HasField("room")
    assert join.HasField("participant")
    for guest in (alice, bob, carol):
        for message in guest.sink.messages:
            assert message.WhichOneof("message") != "trickle"
            for sid in re.findall(r'sid: "([^"]*)"', str(message)):
                assert SID.fullmatch(sid), sid


def test_trap_8_ping_interval_is_positive(house: House) -> None:
    assert house.join("alice").last("join").ping_interval > 0


def test_trap_9_first_answer_waits_for_nothing(house: House) -> None:
    alice = house.join("alice")
    assert not alice.session.participant.active
    assert alice.of("answer")


def test_trap_12_subscriber_primary_only_where_the_server_offers(house: House) -> None:
    single, dual = house.join("single"), house.join("dual", v0=True)
    deaf = house.join("deaf", v0=True, grant={"can_subscribe": False})
    guests: list[Guest] = [single, dual, deaf]
    assert [guest.last("join").subscriber_primary for guest in guests] == [False, True, False]
    assert [bool(guest.of("offer")) for guest in guests] == [False, True, False]


def test_trap_13_no_offers_to_one_peer_connection(house: House) -> None:
    alice, bob = house.pair()
    alice.publish("c1")
    alice.drop_signal()
    alice.resume()
    bob.offer()
    assert not [guest for guest in (alice, bob) if guest.of("offer")]


def test_trap_14_updates_come_back_to_their_subject(house: House) -> None:
    alice, _ = house.pair()
    alice.request(update_metadata=rtc.UpdateParticipantMetadata(attributes={"a": "1"}))
    assert alice.last("update").participants[0].attributes == {"a": "1"}


def test_trap_15_changes_of_metadata_are_answered(house: House) -> None:
    alice, _ = house.pair()
    alice.request(update_metadata=rtc.UpdateParticipantMetadata(name="A", request_id=9))
    assert alice.last("request_response").request_id == 9
    assert alice.last("request_response").reason == rtc.RequestResponse.OK


def test_trap_16_versions_only_rise(house: House) -> None:
    alice, bob = house.pair()
    everything = [*bob.sink.messages]
    alice.publish("c1")
    alice.drop_signal()
    alice.resume()
    alice.request(update_metadata=rtc.UpdateParticipantMetadata(name="A"))
    bob.drop_signal()
    everything += bob.sink.messages
    everything += bob.resume().messages
    alice.unpublish("c1")
    alice.request(leave=rtc.LeaveRequest())
    everything += [message for message in bob.sink.messages if message not in everything]
    versions = [
        info.version
        for message in everything
        for info in message.update.participants
        if info.sid == alice.sid
    ]
    assert len(versions) >= 4
    assert versions == sorted(versions)
    assert versions[0] > 0


@pytest.mark.parametrize("v0", [True, False])
def test_trap_17_first_message_on_resume(house: House, v0: bool) -> None:
    alice = house.join("alice", v0=v0).connect()
    alice.drop_signal()
    house.join("bob").connect()
    assert alice.resume().kinds()[0] == "reconnect"


def test_trap_18_a_lost_signal_is_no_leave_and_leaves_no_ghost(house: House) -> None:
    alice, bob = house.pair()
    alice.drop_signal()
    house.advance(10)
    assert bob.kinds() == []
    house.advance(60)
    assert bob.last("update").participants[0].state == models.ParticipantInfo.DISCONNECTED
    room = house.service.room("room")
    assert room is not None
    assert list(room.sessions) == ["bob"]


def test_trap_19_reliable_packets_keep_number_and_order(house: House) -> None:
    alice, bob = house.pair()
    for sequence in (3, 4, 9):
        alice.send_data(models.DataPacket(sequence=sequence).SerializeToString())
    commands = [command for command in house.media.commands if hasattr(command, "payload")]
    packets = [models.DataPacket.FromString(command.payload) for command in commands]
    assert [packet.sequence for packet in packets] == [3, 4, 9]
    assert {packet.participant_sid for packet in packets} == {alice.sid}
    assert all(command.transport_ids == (bob.primary,) for command in commands)


def test_trap_20_permission_is_filled(house: House) -> None:
    permission = house.join("alice").last("join").participant.permission
    assert permission.can_publish
    assert permission.can_subscribe
    assert permission.can_publish_data


def test_trap_21_nobody_connected_is_lost(house: House) -> None:
    alice, bob = house.pair()
    track = alice.publish("c1")
    alice.request(mute=rtc.MuteTrackRequest(sid=track, muted=True))
    room = house.service.room("room")
    assert room is not None
    for score in (100.0, 25.0, 0.0):
        house.event(Quality(room.router_id, {TransportId(g.primary): score for g in (alice, bob)}))
    told = [info.quality for g in (alice, bob) for m in g.of("connection_quality") for info in m.updates]
    assert told
    assert models.LOST not in told


@pytest.mark.parametrize("offer_first", [True, False])
def test_trap_24_a_track_is_published_in_either_order(house: House, offer_first: bool) -> None:
    alice, bob = house.pair()
    if offer_first:
        alice.offer("c1")
        assert alice.of("answer")
    alice.add_track("c1", source=models.MICROPHONE)
    if not offer_first:
        alice.offer("c1")
    assert alice.of("track_published")
    assert bob.last("update").participants[0].tracks


def test_permission_for_everybody_after_each_connect_is_not_for_nobody(house: House) -> None:
    alice, bob = house.pair()
    alice.request(subscription_permission=rtc.SubscriptionPermission(all_participants=True))
    alice.publish("c1")
    assert len(house.media.of(Subscribe)) == 1
    assert not bob.of("subscription_permission_update")


def test_inverted_kind_of_the_ffi_clients_is_put_right(house: House) -> None:
    alice, _ = house.pair()
    wrong = {"_reliable": models.DataPacket.LOSSY, "_lossy": models.DataPacket.RELIABLE}
    right = {"_reliable": models.DataPacket.RELIABLE, "_lossy": models.DataPacket.LOSSY}
    for label, kind in wrong.items():
        alice.send_data(models.DataPacket(kind=kind).SerializeToString(), label)
        assert models.DataPacket.FromString(house.media.commands[-1].payload).kind == right[label]


def test_offers_of_the_server_count_up(house: House) -> None:
    house.join("alice").connect().publish("c1")
    bob = house.join("bob", v0=True).connect()
    ids = [offer.id for offer in bob.of("offer")]
    house.event(OfferReady(bob.session.legs.subscribing, ids[-1] + 1, "v=0\r\n", {}))
    assert [offer.id for offer in bob.of("offer")] == list(range(ids[0], ids[0] + len(ids) + 1))
