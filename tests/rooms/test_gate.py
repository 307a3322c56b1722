"""What waits while somebody outside decides, and what doesn't."""

from typing import Any

from livekit.protocol import models, rtc

from rooms.config import RoomConfig
from rooms.gate import Decide
from sfu.control import SendData
from tests.harness.rooms import House


class SlowGate:
    """Decides when the test does."""

    def __init__(self) -> None:
        self.tracks: list[tuple[str, Decide]] = []
        self.packets: list[tuple[bytes, Decide]] = []

    def publish(self, session: Any, request: rtc.AddTrackRequest, decide: Decide) -> None:
        self.tracks.append((request.cid, decide))

    def data(self, session: Any, packet: models.DataPacket, label: str, decide: Decide) -> None:
        self.packets.append((packet.user.payload, decide))


def said(text: bytes) -> bytes:
    return models.DataPacket(user=models.UserPacket(payload=text)).SerializeToString()


def test_a_track_is_promised_once_it_may_be() -> None:
    gate = SlowGate()
    house = House(gate=gate)
    ann = house.join("ann").connect()
    ann.add_track("mic", type=models.AUDIO)
    assert "track_published" not in ann.kinds()
    ((_, decide),) = gate.tracks
    decide(None)
    assert ann.last("track_published").cid == "mic"


def test_a_refusal_is_told_with_its_reason() -> None:
    gate = SlowGate()
    ann = House(gate=gate).join("ann").connect()
    ann.add_track("mic", type=models.AUDIO)
    gate.tracks[0][1]("no microphones here")
    answer = ann.last("request_response")
    assert answer.reason == rtc.RequestResponse.NOT_ALLOWED
    assert answer.message == "no microphones here"
    assert answer.add_track.cid == "mic"
    assert "track_published" not in ann.kinds()


def test_later_requests_keep_their_place() -> None:
    gate = SlowGate()
    house = House(gate=gate)
    ann = house.join("ann").connect()
    ann.add_track("mic", type=models.AUDIO)
    ann.offer("mic")
    assert not ann.publications()
    gate.tracks[0][1](None)
    house.pump()
    assert [publication.cid for publication in ann.publications()] == ["mic"]


def test_others_wait_for_nothing() -> None:
    gate = SlowGate()
    house = House(gate=gate)
    ann, bob = house.join("ann").connect(), house.join("bob").connect()
    ann.add_track("mic", type=models.AUDIO)
    bob.add_track("camera", type=models.VIDEO)
    gate.tracks[1][1](None)
    assert "track_published" in bob.kinds()
    assert "track_published" not in ann.kinds()


def test_leaving_does_not_wait() -> None:
    gate = SlowGate()
    house = House(gate=gate)
    ann = house.join("ann").connect()
    ann.add_track("mic", type=models.AUDIO)
    ann.request(leave=rtc.LeaveRequest())
    assert ann.session.ended
    gate.tracks[0][1](None)
    assert "track_published" not in ann.kinds()


def test_only_the_first_decision_counts() -> None:
    gate = SlowGate()
    ann = House(gate=gate).join("ann").connect()
    ann.add_track("mic", type=models.AUDIO)
    decide = gate.tracks[0][1]
    decide("no")
    decide(None)
    assert "track_published" not in ann.kinds()


def test_who_sends_too_much_meanwhile_starts_anew() -> None:
    gate = SlowGate()
    ann = House(RoomConfig(max_held_requests=3), gate=gate).join("ann").connect()
    ann.add_track("mic", type=models.AUDIO)
    for n in range(3):
        ann.add_track(f"mic{n}", type=models.AUDIO)
    assert not ann.session.ended
    ann.add_track("one too many", type=models.AUDIO)
    assert ann.last("leave").action == rtc.LeaveRequest.RECONNECT


def test_data_is_sent_on_as_decided() -> None:
    gate = SlowGate()
    house = House(gate=gate)
    ann, _ = house.pair("ann", "bob")
    for text in (b"one", b"two"):
        ann.send_data(said(text))
    assert not house.media.of(SendData)
    gate.packets[0][1]("no")
    gate.packets[1][1](None)
    sent = [models.DataPacket.FromString(command.payload) for command in house.media.of(SendData)]
    assert [packet.user.payload for packet in sent] == [b"two"]
