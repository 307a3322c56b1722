"""Which TSNs of an SCTP association have arrived: a cumulative point and the intervals beyond it (RFC
9260)."""

from bisect import bisect_right

_MODULO = 1 << 32
_HALF = 1 << 31


class ReceivedTsns:
    """TSNs are counted past 32 bits inside, so that they compare as plain integers.

    A chunk in order costs a comparison and an addition; one out of order a bisection.
    """

    __slots__ = ("_ends", "_starts", "last")

    def __init__(self, cumulative_tsn: int) -> None:
        self.last = cumulative_tsn
        """The unwrapped cumulative TSN: everything up to it has arrived, or was given up by the sender."""
        self._starts: list[int] = []
        self._ends: list[int] = []

    @property
    def cumulative_tsn(self) -> int:
        """What a SACK says: the 32-bit form of :attr:`last`."""
        return self.last % _MODULO

    @property
    def has_gaps(self) -> bool:
        return bool(self._starts)

    def unwrap(self, tsn: int) -> int:
        """Return the unwrapped TSN nearest to the cumulative one."""
        distance = (tsn - self.last) % _MODULO
        return self.last + (distance if distance < _HALF else distance - _MODULO)

    def has(self, unwrapped: int) -> bool:
        if unwrapped <= self.last:
            return True
        at = bisect_right(self._starts, unwrapped)
        return at > 0 and unwrapped <= self._ends[at - 1]

    def add(self, unwrapped: int) -> None:
        """Note a TSN that isn't there yet."""
        starts, ends = self._starts, self._ends
        if unwrapped == self.last + 1:
            self.last = unwrapped
            self._absorb()
            return
        at = bisect_right(starts, unwrapped)
        joins_left = at > 0 and ends[at - 1] + 1 == unwrapped
        joins_right = at < len(starts) and starts[at] - 1 == unwrapped
        if joins_left and joins_right:
            ends[at - 1] = ends[at]
            del starts[at], ends[at]
        elif joins_left:
            ends[at - 1] = unwrapped
        elif joins_right:
            starts[at] = unwrapped
        else:
            starts.insert(at, unwrapped)
            ends.insert(at, unwrapped)

    def advance(self, unwrapped: int) -> None:
        """Move the cumulative point up to where the sender gave up (RFC 3758)."""
        self.last = max(self.last, unwrapped)
        self._absorb()

    def gaps(self, at_most: int) -> list[tuple[int, int]]:
        """Return the first intervals beyond the cumulative point, as the 16-bit offsets of a SACK."""
        last = self.last
        return [
            (start - last, end - last)
            for start, end in zip(self._starts[:at_most], self._ends, strict=False)
            if end - last < 1 << 16
        ]

    def _absorb(self) -> None:
        """Let the cumulative point swallow the intervals it has reached."""
        starts, ends = self._starts, self._ends
        passed = 0
        while passed < len(starts) and starts[passed] <= self.last + 1:
            self.last = max(self.last, ends[passed])
            passed += 1
        if passed:
            del starts[:passed], ends[:passed]
