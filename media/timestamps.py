"""RTP timestamps as times that only go on. Sans-IO."""

_RANGE = 1 << 32


class Timestamps:
    """Counts on over the 32 bits of a stream's timestamps, from 0 at the first."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._count = 0

    def extend(self, timestamp: int) -> int:
        """Ticks since the first timestamp; less than 0 for what lies before it."""
        if self._last is None:
            self._last = timestamp
        step = (timestamp - self._last + _RANGE // 2) % _RANGE - _RANGE // 2
        self._last = timestamp
        self._count += step
        return self._count
