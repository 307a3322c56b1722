"""Numbers without holes: what is dropped on purpose leaves no gap, what the network lost does.

A receiver must not ask again for packets that were filtered out, and must ask for those that were lost. So a dropped
packet moves all later ones down by one, while a missing one keeps its number free (``media-plane`` invariant 1).
"""

import numpy as np

from sfu.compiled.numbering import (
    HIGHEST,
    MAX_GAP,
    OFFSET,
    PICTURE_OFFSET,
    RANGE_COUNT,
    RANGE_WORDS,
    RANGES,
    RANGES_AT,
    RENDITION_WORDS,
    drop,
    note,
)
from sfu.net.arrays import Int64s
from sfu.streams.columns import Row, Rows


class _OwnRows(Rows):
    __slots__ = ()
    WIDTH = RENDITION_WORDS


class Numbering:
    """Maps extended source sequence numbers to those of a filtered stream, and picture ids with them."""

    __slots__ = ("_ranges", "row", "rows")

    def __init__(self, rows: Rows | None = None) -> None:
        """Takes one of ``rows``, of the renditions; without any, the numbering has rows of its own."""
        self.rows = _OwnRows() if rows is None else rows
        self.row = Row(self.rows)
        self._ranges: Int64s = np.zeros((RANGES, RANGE_WORDS), np.int64)
        words = self.rows.words[self.row.number]
        words[:] = 0
        words[HIGHEST] = -MAX_GAP - 1
        words[RANGES_AT] = self._ranges.ctypes.data

    @property
    def highest(self) -> int:
        """Highest source sequence number seen; negative before the first."""
        highest: int = self.rows.word[self.row.number, HIGHEST]
        return highest

    @property
    def offset(self) -> int:
        """Source minus out, for what is newer than ``highest``."""
        offset: int = self.rows.word[self.row.number, OFFSET]
        return offset

    @property
    def picture_offset(self) -> int:
        """Pictures dropped so far."""
        offset: int = self.rows.word[self.row.number, PICTURE_OFFSET]
        return offset

    def forward(self, source: int) -> tuple[int, int] | None:
        """Number and picture offset of a packet; None when it is late and was dropped or is too old to place."""
        step = source - self.highest
        if step > 0:
            if step > MAX_GAP:
                self._begin(source)
            self.rows.word[self.row.number, HIGHEST] = source
            return source - self.offset, self.picture_offset
        changes = self._ranges[: self.rows.word[self.row.number, RANGE_COUNT]].tolist()
        if any(dropped and first == source + 1 for first, _, _, dropped in changes):
            return None
        holding = [change for change in changes if source >= change[0]]
        if not holding:
            return None
        _, offset, picture_offset, _ = max(holding)
        return source - offset, picture_offset

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
        drop(self.rows.words, self.row.number, source, new_picture)

    def _begin(self, source: int) -> None:
        """Start, or start anew: a step this large would derail the subscriber's SRTP rollover counter."""
        before_first = 0
        word, row = self.rows.word, self.row.number
        if self.highest >= 0:
            word[row, OFFSET] += source - self.highest - 1
        else:
            before_first = MAX_GAP  # those that the first one has overtaken
        word[row, RANGE_COUNT] = 0
        note(self.rows.words, row, source - before_first, False)

    @property
    def last(self) -> int:
        """Number of the newest packet forwarded (or lost)."""
        return self.highest - self.offset
