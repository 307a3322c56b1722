"""Receiving, asking again and being asked over bad networks (faults 37, 96 and 97), in emulated time."""

from dataclasses import dataclass, field

import pytest

from hubbub.testing.netem import BurstLoss, Conditions, Netem
from sfu.streams.keyframes import KeyframeRequests
from sfu.streams.nack import NackRegister
from sfu.streams.receive import ReceiveStream
from tests.harness.rtp_source import VideoSource
from tests.harness.rtp_stream import StreamConfig

TICK_S = 0.005
PLI = b"PLI"


@dataclass
class Call:
    """A publisher with RTX and a receiver, a network each way."""

    up: Conditions
    down: Conditions = field(default_factory=lambda: Conditions(latency_s=0.02))
    seed: int = 1

    def __post_init__(self) -> None:
        self.now = 0.0
        config = StreamConfig(1, 96, rtx_ssrc=2, rtx_payload_type=97, first_sequence=65_000)
        self.source = VideoSource(config, bitrate_bps=1_500_000, seed=self.seed)
        self.network = Netem(self.up, self.seed)
        self.feedback = Netem(self.down, self.seed + 1)
        self.stream = ReceiveStream(90_000)
        self.nacks = NackRegister()
        self.keyframes = KeyframeRequests()
        self.got: dict[int, float] = {}
        self.sent: dict[int, float] = {}
        self.asked = 0
        self.key_starts: set[int] = set()

    def run(self, until: float) -> None:
        for _ in range(round((until - self.now) / TICK_S)):
            self.now += TICK_S
            self._publish()
            self._receive()
            self._ask()

    def settle(self) -> None:
        """Let what is under way arrive, with no new packets."""
        self.source.pause()
        self.run(self.now + 3.0)

    @property
    def missing(self) -> int:
        return sum(1 for number in self.sent if number not in self.got)

    def _publish(self) -> None:
        for message in self.feedback.receive(self.now):
            if message == PLI:
                self.source.keyframe()
                continue
            for at in range(0, len(message), 2):
                again = self.source.resend(int.from_bytes(message[at : at + 2], "big"), self.now)
                if again is not None:
                    self.network.send(again, self.now)
        for packet in self.source.take(self.now):
            self.sent[packet.sequence] = self.now
            if packet.keyframe and packet.starts_frame:
                self.key_starts.add(packet.sequence)
            self.network.send(packet.data, self.now)

    def _receive(self) -> None:
        for data in self.network.receive(self.now):
            sequence, payload = int.from_bytes(data[2:4], "big"), data[12 + 4 * data[15] + 4 :]
            if data[11] == 2:
                number = self.stream.recover(int.from_bytes(payload[:2], "big"))
            else:
                timestamp = int.from_bytes(data[4:8], "big")
                number = self.stream.receive(sequence, timestamp, self.now)
            if number >= 0:
                assert number & 0xFFFF not in self.got, "given out twice"
                self.got[number & 0xFFFF] = self.now
                self.nacks.received(number, self.now)
                if number & 0xFFFF in self.key_starts:
                    self.keyframes.keyframe(self.now)

    def _ask(self) -> None:
        missing, hopeless = self.nacks.due(self.now, 0.04)
        if missing:
            self.asked += len(missing)
            numbers = b"".join((number & 0xFFFF).to_bytes(2, "big") for number in missing)
            self.feedback.send(numbers, self.now)
        if hopeless:
            self.keyframes.request(self.now)
        if self.keyframes.due(self.now):
            self.feedback.send(PLI, self.now)


@pytest.mark.parametrize(("loss", "left"), [(0.01, 0), (0.05, 0), (0.2, 2)])
def test_random_loss_is_healed(loss: float, left: int):
    call = Call(Conditions(latency_s=0.02, loss=loss))
    call.run(20.0)
    call.settle()
    assert len(call.sent) > 3000
    assert call.missing <= left
    assert call.stream.lost == pytest.approx(len(call.sent) * loss, rel=0.35)
    assert call.asked < 1.6 * call.network.lost + 10, "hardly anything is asked for twice"


def test_bursts_are_healed():
    call = Call(Conditions(latency_s=0.02, burst=BurstLoss(share=0.05, mean_packets=30)))
    call.run(20.0)
    call.settle()
    assert call.network.lost > 50
    assert call.missing <= 10


def test_half_lost_it_gives_up_in_bounds_and_asks_for_key_frames():
    call = Call(Conditions(latency_s=0.02, loss=0.5))
    call.run(20.0)
    call.settle()
    assert call.missing < 0.05 * len(call.sent)
    assert call.asked <= 6 * len(call.sent)
    assert len(call.nacks) == 0
    assert call.keyframes.sent <= 20 / 0.3 + 1


def test_reordering_is_not_taken_for_loss():
    call = Call(Conditions(latency_s=0.02, reorder=0.05, reorder_s=0.005))
    call.run(20.0)
    call.settle()
    assert call.missing == 0
    assert call.stream.lost == 0
    assert call.stream.duplicates == call.network.sent - len(call.sent)


def test_duplicates_are_given_out_once():
    call = Call(Conditions(latency_s=0.02, duplicate=0.05))
    call.run(10.0)
    call.settle()
    assert call.missing == 0
    assert call.stream.duplicates == call.network.duplicated
    assert call.asked == 0


def test_jitter_without_loss_loses_nothing():
    call = Call(Conditions(latency_s=0.02, jitter_s=0.2, jitter_reorders=True))
    call.run(10.0)
    call.settle()
    assert call.missing == 0
    assert call.stream.lost == 0


def test_a_short_outage_of_everything_is_asked_again():
    call = Call(Conditions(latency_s=0.02))
    call.run(5.0)
    call.network.change(Conditions(loss=1.0), 5.0)
    call.run(5.3)
    call.network.change(Conditions(latency_s=0.02), call.now)
    call.run(8.0)
    call.settle()
    assert call.network.lost > 30
    assert call.missing == 0


def test_five_seconds_of_outage_end_in_a_burst_without_requests():
    call = Call(Conditions(latency_s=0.02))
    call.run(5.0)
    call.network.change(Conditions(rate_bps=0), call.now)
    call.run(10.0)
    call.network.change(Conditions(latency_s=0.02), call.now)
    call.run(12.0)
    call.settle()
    assert call.missing == 0
    assert call.asked == 0
    assert call.stream.restarts == 0


def test_five_seconds_lost_lead_to_one_key_frame():
    call = Call(Conditions(latency_s=0.02))
    call.run(5.0)
    before = call.source.keyframes
    call.network.change(Conditions(loss=1.0), call.now)
    call.run(10.0)
    call.network.change(Conditions(latency_s=0.02), call.now)
    call.run(13.0)
    assert call.source.keyframes == before + 1
    assert call.asked == 0


def test_without_feedback_the_register_stays_bounded():
    call = Call(Conditions(latency_s=0.02, loss=0.2), Conditions(loss=1.0))
    call.run(10.0)
    assert len(call.nacks) <= 256
    assert call.keyframes.sent <= 6
