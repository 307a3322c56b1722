"""When it pays to read a socket later than could be: where packets come all the time, but few at once.

To wake up, and what is done once per batch, cost as much as several packets do; network cards moderate their interrupts
for the same reason. Nobody waits in a server that has little to do, nor where batches are large without that.
"""

from math import inf

OFTEN_PER_S = 4_000
"""Datagrams from which on it pays: four in a millisecond. Two people with cameras send 350."""
BUSY = 0.5
"""Share of the time that their handling takes, above which batches are large without that."""
WINDOW_S = 0.1


class Coalescing:
    """Fed with what came, and how long it took to let it go on."""

    __slots__ = ("_busy_s", "_count", "_since", "pays")

    def __init__(self) -> None:
        self.pays = False
        """Whether to be late."""
        self._count = 0
        self._busy_s = 0.0
        self._since = -inf

    def took(self, datagrams: int, took_s: float, now: float) -> None:
        """Note how many were read at once."""
        self._count += datagrams
        self._busy_s += took_s
        elapsed_s = now - self._since
        if elapsed_s >= WINDOW_S:
            self.pays = self._count >= OFTEN_PER_S * elapsed_s and self._busy_s < BUSY * elapsed_s
            self._count, self._busy_s, self._since = 0, 0.0, now
