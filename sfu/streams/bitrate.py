"""Bits per second over the last second."""

BUCKETS = 20
BUCKETS_PER_S = 20
"""Buckets of 50 ms: the rate is that of the last 0.95 to 1 s."""


class BitrateMeter:
    """Bytes in, a sliding rate out."""

    __slots__ = ("_buckets", "_bytes", "_newest")

    def __init__(self) -> None:
        self._buckets = [0] * BUCKETS
        self._newest = 0  # number of the newest bucket since time 0
        self._bytes = 0

    def add(self, size: int, now: float) -> None:
        """Count ``size`` bytes at ``now``; a time before the newest counts as the newest."""
        bucket = int(now * BUCKETS_PER_S)
        if bucket > self._newest:
            self._advance(bucket)
        self._buckets[self._newest % BUCKETS] += size
        self._bytes += size

    def bps(self, now: float) -> float:
        """Bits per second of the second before ``now``; 0 after a second of silence."""
        bucket = int(now * BUCKETS_PER_S)
        if bucket > self._newest:
            self._advance(bucket)
        return self._bytes * 8.0

    def _advance(self, bucket: int) -> None:
        buckets = self._buckets
        for stale in range(max(self._newest + 1, bucket - BUCKETS + 1), bucket + 1):
            self._bytes -= buckets[stale % BUCKETS]
            buckets[stale % BUCKETS] = 0
        self._newest = bucket
