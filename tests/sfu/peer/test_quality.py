"""The score of a transport: the worst of its streams, both ways, window by window."""

from types import SimpleNamespace
from typing import Any

import pytest

from sfu.control import MediaKind
from sfu.peer.quality import TransportQuality

VIDEO = SimpleNamespace(kind=MediaKind.VIDEO, muted=False, redundant=False, clock_rate=90_000)
AUDIO = SimpleNamespace(kind=MediaKind.AUDIO, muted=False, redundant=False, clock_rate=48_000)
RED = SimpleNamespace(kind=MediaKind.AUDIO, muted=False, redundant=True, clock_rate=48_000)


class Peer:
    """As much of a transport as is looked at; its counters are the test's to move."""

    def __init__(self) -> None:
        self.ingress = SimpleNamespace(streams={})
        self.subscribing = SimpleNamespace(by_ssrc={})
        self.quality = TransportQuality()

    def sends(self, ssrc: int, track: Any = VIDEO) -> Any:
        stats = SimpleNamespace(packets=0, lost=0, jitter=0.0, clock_rate=track.clock_rate)
        self.ingress.streams[ssrc] = SimpleNamespace(track=track, stats=stats)
        return stats

    def receives(self, ssrc: int, track: Any = VIDEO) -> None:
        self.subscribing.by_ssrc[ssrc] = SimpleNamespace(track=track, rendition=object())

    def reports(self, ssrc: int, highest: int, lost: int, jitter: int = 0) -> None:
        self.quality.received[ssrc] = highest, lost, jitter

    def take(self, rtt_s: float = 0.0) -> float:
        return self.quality.take(self, rtt_s)  # type: ignore[arg-type]


@pytest.fixture
def peer() -> Peer:
    return Peer()


def test_full_marks_when_nothing_flows(peer: Peer) -> None:
    assert peer.take() == 100
    peer.sends(1)
    assert peer.take() == 100


def test_loss_upwards_costs_and_is_forgiven_slowly(peer: Peer) -> None:
    stats = peer.sends(1)
    stats.packets = 1000
    assert peer.take() == 100
    stats.packets, stats.lost = 1900, 100
    bad = peer.take()
    assert bad < 50
    stats.packets = 2900
    better = peer.take()
    assert bad < better < 100
    for _ in range(20):
        stats.packets += 1000
        better = peer.take()
    assert better > 95


def test_loss_downwards_counts_as_well(peer: Peer) -> None:
    peer.receives(7)
    peer.reports(7, 1000, 0)
    assert peer.take() == 100
    peer.reports(7, 2000, 100)
    assert peer.take() < 50


def test_the_worst_stream_counts(peer: Peer) -> None:
    good, bad = peer.sends(1), peer.sends(2)
    good.packets = bad.packets = 1000
    peer.take()
    good.packets = 2000
    bad.packets, bad.lost = 1900, 100
    assert peer.take() < 50


def test_redundant_audio_bears_more_loss_than_audio_and_that_more_than_video(peer: Peer) -> None:
    scores = []
    for track in (RED, AUDIO, VIDEO):
        one = Peer()
        stats = one.sends(1, track)
        stats.packets = 1000
        one.take()
        stats.packets, stats.lost = 1980, 20
        scores.append(one.take())
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3


def test_delay_and_jitter_cost_a_little(peer: Peer) -> None:
    stats = peer.sends(1)
    stats.packets = 1000
    peer.take()
    stats.packets = 2000
    late = peer.take(rtt_s=0.4)
    assert 80 < late < 100
    stats.packets, stats.jitter = 3000, 0.05 * 90_000
    assert peer.take(rtt_s=0.4) < late


def test_muted_tracks_and_paused_subscriptions_do_not_count(peer: Peer) -> None:
    muted = SimpleNamespace(kind=MediaKind.VIDEO, muted=True, redundant=False, clock_rate=90_000)
    stats = peer.sends(1, muted)
    stats.packets = 1000
    peer.receives(7)
    peer.subscribing.by_ssrc[7].rendition = None
    peer.take()
    stats.packets, stats.lost = 1100, 900
    peer.reports(7, 1000, 900)
    assert peer.take() == 100


def test_a_window_without_packets_changes_nothing(peer: Peer) -> None:
    stats = peer.sends(1)
    stats.packets = 1000
    peer.take()
    stats.packets, stats.lost = 1900, 100
    bad = peer.take()
    assert peer.take() == bad


def test_losses_that_turn_out_to_be_late_packets_are_no_gain(peer: Peer) -> None:
    stats = peer.sends(1)
    stats.packets, stats.lost = 900, 100
    peer.take()
    stats.packets, stats.lost = 2000, 0
    assert peer.take() == 100


def test_streams_that_are_gone_are_forgotten(peer: Peer) -> None:
    for ssrc in range(100):
        peer.ingress.streams.clear()
        peer.sends(ssrc).packets = 1000
        peer.reports(1000 + ssrc, 1000, 0)
        peer.take()
    peer.ingress.streams.clear()
    assert peer.take() == 100
    assert not peer.quality._streams
    assert not peer.quality.received
