"""How good a stream looks to whoever receives it, 0 to 100, on LiveKit's scale.

Every few seconds the worst of three scores counts: what loss and delay do to its packets, how far its bit
rate falls short, and how far its layer is from the wanted one. It falls faster than it recovers. The
constants are LiveKit's (its connection quality scorer).
"""

from math import log, sqrt
from typing import NamedTuple

WINDOW_S = 5.0
OPUS_LOSS_WEIGHT = 8.0
"""Points off for each percent lost."""
RED_LOSS_WEIGHT = 4.0
VIDEO_LOSS_WEIGHT = 10.0
FEC_RELIEF = 1.5
"""Divides the loss weight of Opus with in-band FEC."""
LAYER_WEIGHT = 35.0
SHORTFALL_WEIGHT = 20.0

BEST = 100.0
FLOOR = 30.0
SILENT = 40.0
"""Packets stopped while RTCP goes on."""
DEAD = 20.0
"""Nothing comes at all."""
FALLING = 0.8
RISING = 0.4

POOR, GOOD, EXCELLENT, LOST = range(4)
"""The numbers of LiveKit's ConnectionQuality enum."""
_ABOVE = ((80.0, EXCELLENT), (40.0, GOOD), (20.0, POOR))

_RATE_STEP = 5.0
_RATE_BINS = 64


class StreamWindow(NamedTuple):
    """One stream over one window."""

    packets: int
    """Expected, padding included."""
    lost: int = 0
    missing_upstream: int = 0
    """Of the lost, those that the server never got to send."""
    out_of_order: int = 0
    """Of the lost, those that came after all."""
    rtt_s: float = 0.0
    """0 to leave it out."""
    jitter_s: float = 0.0
    bits: float = 0.0
    expected_bits: float = 0.0
    """0 where no rate is expected."""
    layer_distance: float = 0.0
    """Mean number of layers below the wanted one."""
    muted: bool = False
    """For more than half of the window."""
    paused: bool = False
    """By the server, for want of bandwidth."""
    rtcp_silent: bool = False
    """No report in the window either."""


class QualityScorer:
    """The running score of one stream, one way."""

    __slots__ = ("_loss_weight", "_rates", "_score")

    def __init__(self, loss_weight: float) -> None:
        self._loss_weight = loss_weight
        self._score = BEST
        self._rates = [0] * _RATE_BINS

    @property
    def score(self) -> float:
        """0 to 100; full marks until something is known."""
        return self._score

    def update(self, window: StreamWindow, seconds: float = WINDOW_S) -> float:
        """Take one window of this length and return the new score."""
        if window.muted:
            self._score = BEST
        elif window.paused:
            self._score = FLOOR
        elif window.packets <= 0:
            self._score = DEAD if window.rtcp_silent else SILENT
        else:
            now = min(
                self._packet_score(window, max(0.001, seconds)),
                _bitrate_score(window),
                _clamp(BEST - LAYER_WEIGHT * window.layer_distance),
            )
            weight = FALLING if now < self._score else RISING
            self._score = max(FLOOR, self._score + (now - self._score) * weight)
        return self._score

    def _packet_score(self, window: StreamWindow, seconds: float) -> float:
        delay_ms = 1000 * (window.rtt_s / 2 + 2 * window.jitter_s)
        delay = delay_ms / 40 if delay_ms <= 160 else (delay_ms - 120) / 10
        lost = max(0, window.lost - window.missing_upstream - window.out_of_order)
        share = min(1.0, lost / window.packets)
        rate = window.packets / seconds
        usual = self._usual_rate(rate)
        # A stream in DTX sends few packets: losing one of them is a large share of little.
        sparse = sqrt(min(1.0, rate / usual)) if usual > 0 else 1.0
        return _clamp(BEST - delay - 100 * share * self._loss_weight * sparse)

    def _usual_rate(self, rate: float) -> float:
        """The commonest packet rate so far, this window included."""
        self._rates[min(_RATE_BINS - 1, int(rate / _RATE_STEP))] += 1
        most = max(self._rates)
        highest_such = max(at for at, count in enumerate(self._rates) if count == most)
        return highest_such * _RATE_STEP


def quality_of(score: float) -> int:
    """LiveKit's ConnectionQuality number for a score.

    Clients take LOST seriously (livekit-client reconnects after ten seconds of it).
    """
    for above, quality in _ABOVE:
        if score > above:
            return quality
    return LOST


def mos_of(score: float) -> float:
    """The score as a mean opinion score, 1 to 4.5 (the curve of ITU-T G.107 annex B)."""
    score = _clamp(score)
    return max(1.0, 1 + 0.035 * score + 7e-6 * score * (score - 60) * (100 - score))


def _bitrate_score(window: StreamWindow) -> float:
    if window.expected_bits <= 0 or window.bits >= window.expected_bits:
        return BEST
    if window.bits <= 0:
        return 0.0
    return _clamp(BEST - SHORTFALL_WEIGHT * log(window.expected_bits / window.bits))


def _clamp(score: float) -> float:
    return max(0.0, min(BEST, score))
