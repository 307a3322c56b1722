"""Whether a simulcast layer is being sent.

A publisher short of bandwidth stops its upper layers without a word, and those who watch them must fall to a
lower one soon; but a slow frame rate or a short stall is no stop.
"""

MIN_SILENCE_S = 0.500
SILENT_FRAMES = 3.0
"""A layer is stopped after this many frame intervals without a packet ..."""
MAX_INTERVAL_S = 2.0
"""... an interval being at most that of a very slow screen share."""
SMOOTHING = 1 / 8


class LayerLiveness:
    """Live from its first key frame until it falls silent while a lower layer goes on."""

    __slots__ = ("_interval_s", "_seen_at", "live")

    def __init__(self) -> None:
        self.live = False
        self._seen_at: float | None = None
        self._interval_s = 1 / 30

    @property
    def silence_s(self) -> float:
        """How long a silence means that the layer has stopped."""
        return max(MIN_SILENCE_S, SILENT_FRAMES * self._interval_s)

    def frame(self, now: float) -> None:
        """The first packet of a frame came."""
        if self._seen_at is not None:
            interval_s = min(MAX_INTERVAL_S, max(0.0, now - self._seen_at))
            self._interval_s += (interval_s - self._interval_s) * SMOOTHING
        self._seen_at = now

    def keyframe(self, now: float) -> bool:
        """A key frame has begun (in addition to :meth:`frame`). True if the layer comes alive by it."""
        self._seen_at = now
        started, self.live = not self.live, True
        return started

    def check(self, now: float, lower_live: bool) -> bool:
        """True if the layer has just stopped. Without a lower live layer there is nothing to fall to."""
        if not self.live or not lower_live or self._seen_at is None or now - self._seen_at < self.silence_s:
            return False
        self.live = False
        self._seen_at = None  # the pause is no frame interval
        return True
