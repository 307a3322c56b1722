"""Whether a simulcast layer is being sent.

A publisher short of bandwidth stops its upper layers without a word, and those who watch them must fall to a
lower one soon; but a slow frame rate or a short stall is no stop.
"""

from math import inf

from sfu.compiled.frames import INTERVAL_S, SEEN_AT, follow
from sfu.streams.columns import FrameRows, Row

MIN_SILENCE_S = 0.500
SILENT_FRAMES = 3.0
"""A layer is stopped after this many frame intervals without a packet."""
_FIRST_INTERVAL_S = 1 / 30


class LayerLiveness:
    """Live from its first key frame until it falls silent while a lower layer goes on."""

    __slots__ = ("_row", "live")

    def __init__(self, row: Row | None = None) -> None:
        """Takes what is its own of a row of frames; without any, it has one to itself."""
        self._row = Row(FrameRows()) if row is None else row
        self.live = False
        real = self._row.rows.real
        real[self._row.number, SEEN_AT], real[self._row.number, INTERVAL_S] = inf, _FIRST_INTERVAL_S

    @property
    def silence_s(self) -> float:
        """How long a silence means that the layer has stopped."""
        interval_s: float = self._row.rows.real[self._row.number, INTERVAL_S]
        return max(MIN_SILENCE_S, SILENT_FRAMES * interval_s)

    def frame(self, now: float) -> None:
        """The first packet of a frame came."""
        follow(self._row.rows.reals, self._row.number, now)

    def keyframe(self, now: float) -> bool:
        """A key frame has begun (in addition to :meth:`frame`). True if the layer comes alive by it."""
        self._row.rows.real[self._row.number, SEEN_AT] = now
        started, self.live = not self.live, True
        return started

    def check(self, now: float, lower_live: bool) -> bool:
        """True if the layer has just stopped. Without a lower live layer there is nothing to fall to."""
        real, row = self._row.rows.real, self._row.number
        if not self.live or not lower_live or now - real[row, SEEN_AT] < self.silence_s:
            return False
        self.live = False
        real[row, SEEN_AT] = inf  # the pause is no frame interval
        return True
