"""Connection quality of one transport: the worst of its streams, both ways, by window."""

from dataclasses import dataclass

from sfu.control import MediaKind
from sfu.forwarding.binding import InStream
from sfu.forwarding.uptrack import UpTrack
from sfu.peer.transport import Transport
from sfu.rtp.rtcp import signed24
from sfu.streams.quality import (
    BEST,
    OPUS_LOSS_WEIGHT,
    RED_LOSS_WEIGHT,
    VIDEO_LOSS_WEIGHT,
    QualityScorer,
    StreamWindow,
)


@dataclass(slots=True)
class _Stream:
    scorer: QualityScorer
    expected: int = 0
    lost: int = 0


class TransportQuality:
    """Remembers the counters of the last window; streams that are gone are forgotten with it."""

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}
        self.received: dict[int, tuple[int, int, int]] = {}
        """What the client reports of each stream that we send it, in words of the report block: highest sequence
        number, packets lost, jitter."""

    def take(self, transport: Transport, rtt_s: float) -> float:
        """The score of the window that ends now, 0 to 100; full marks when nothing flows."""
        before, self._streams = self._streams, {}
        scores = [BEST]
        for ssrc, stream in transport.ingress.streams.items():
            if not stream.track.muted and stream.stats.packets:
                scores.append(self._upward(ssrc, stream, before, rtt_s))
        received, self.received = self.received, {}
        for ssrc, (highest, lost, jitter) in received.items():
            down = transport.subscribing.by_ssrc.get(ssrc)
            if down is not None and down.rendition is not None:
                jitter_s = jitter / down.track.clock_rate
                gone = signed24(lost)
                scores.append(self._score(ssrc, down.track, before, highest, gone, jitter_s, rtt_s))
        return min(scores)

    def _upward(self, ssrc: int, stream: InStream, before: dict[int, _Stream], rtt_s: float) -> float:
        stats = stream.stats
        expected, lost = stats.packets + stats.lost, stats.lost
        jitter_s = stats.jitter / stats.clock_rate
        return self._score(ssrc, stream.track, before, expected, lost, jitter_s, rtt_s)

    def _score(
        self,
        ssrc: int,
        track: UpTrack,
        before: dict[int, _Stream],
        expected: int,
        lost: int,
        jitter_s: float,
        rtt_s: float,
    ) -> float:
        known = before.get(ssrc)
        entry = self._streams[ssrc] = known or _Stream(QualityScorer(_weight(track)), expected, lost)
        packets, gone = expected - entry.expected, lost - entry.lost
        entry.expected, entry.lost = expected, lost
        if packets <= 0:
            return entry.scorer.score
        return entry.scorer.update(StreamWindow(packets, max(0, gone), rtt_s=rtt_s, jitter_s=jitter_s))


def _weight(track: UpTrack) -> float:
    if track.kind is MediaKind.VIDEO:
        return VIDEO_LOSS_WEIGHT
    return RED_LOSS_WEIGHT if track.redundant else OPUS_LOSS_WEIGHT
