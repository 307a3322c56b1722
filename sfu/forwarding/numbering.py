"""Numbers without holes: what is dropped on purpose leaves no gap, what the network lost does.

A receiver must not ask again for packets that were filtered out, and must ask for those that were lost. So a dropped
packet moves all later ones down by one, while a missing one keeps its number free (``media-plane`` invariant 1).
"""

from collections import deque
from typing import NamedTuple

RANGES = 128
"""Changes of offset that are remembered for packets that come late."""

MAX_GAP = 3000
"""Missing packets beyond which a step is a restart and no loss (RFC 3550 appendix A.1)."""


class _Range(NamedTuple):
    first: int
    """First source sequence number that the offsets hold for."""
    offset: int
    picture_offset: int


class Numbering:
    """Maps extended source sequence numbers to those of a filtered stream, and picture ids with them."""

    __slots__ = ("_dropped", "_ranges", "highest", "offset", "picture_offset")

    def __init__(self) -> None:
        self.highest = -MAX_GAP - 1
        """Highest source sequence number seen; negative before the first."""
        self.offset = 0
        """Source minus out, for what is newer than ``highest``."""
        self.picture_offset = 0
        """Pictures dropped so far."""
        self._ranges: deque[_Range] = deque(maxlen=RANGES)
        self._dropped: deque[int] = deque(maxlen=RANGES)

    def forward(self, source: int) -> tuple[int, int] | None:
        """Number and picture offset of a packet; None when it is late and was dropped or is too old to place."""
        step = source - self.highest
        if step > 0:
            if step > MAX_GAP:
                self._begin(source)
            self.highest = source
            return source - self.offset, self.picture_offset
        if source in self._dropped:
            return None
        for first, offset, picture_offset in reversed(self._ranges):
            if source >= first:
                return source - offset, picture_offset
        return None

    def preview(self, source: int) -> int | None:
        """The number that :meth:`forward` would give a packet; None for one that is not the newest."""
        if source <= self.highest:
            return None
        if self.highest >= 0 and source - self.highest > MAX_GAP:
            return self.last + 1
        return source - self.offset

    def drop(self, source: int, *, new_picture: bool = False) -> None:
        """Take a packet out of the stream. ``new_picture`` when it is the first of a picture that is left out whole."""
        if source <= self.highest:
            return  # its number is already a hole that the receiver may ask for, in vain
        if source - self.highest > MAX_GAP:
            self._begin(source)
        self.highest = source
        self.offset += 1
        if new_picture:
            self.picture_offset += 1
        self._dropped.append(source)
        self._ranges.append(_Range(source + 1, self.offset, self.picture_offset))

    def _begin(self, source: int) -> None:
        """Start, or start anew: a step this large would derail the subscriber's SRTP rollover counter."""
        before_first = 0
        if self.highest >= 0:
            self.offset += source - self.highest - 1
        else:
            before_first = MAX_GAP  # those that the first one has overtaken
        self._ranges.clear()
        self._ranges.append(_Range(source - before_first, self.offset, self.picture_offset))

    @property
    def last(self) -> int:
        """Number of the newest packet forwarded (or lost)."""
        return self.highest - self.offset
