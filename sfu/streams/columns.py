"""What changes with each packet of a received stream, of a layer or of a microphone, for all of an engine.

Rows of words, which compiled loops read and write (:mod:`sfu.compiled.streams` says what is where), and which everybody
else reaches by memory views, quicker than arrays for one number. All are the same memory. It moves when a table
grows, so arrays and views are read from the table each time.
"""

from typing import Any, ClassVar

import numpy as np

from sfu.compiled.frames import FRAME_WORDS
from sfu.compiled.streams import CLOCK_RATE, FRAME, HIGHEST, METER_WORDS, PAYLOAD_TYPE, STREAM_WORDS
from sfu.net.arrays import Float64s, Int64s, grown
from sfu.net.places import Place

NOBODY = 0
"""The row of nothing; its numbers never change."""
_FIRST_ROWS = 2


class Rows:
    """Rows that are taken and given back."""

    __slots__ = ("_free", "place", "real", "reals", "word", "words")
    WIDTH: ClassVar[int]

    def __init__(self) -> None:
        self._free = list(range(_FIRST_ROWS - 1, NOBODY, -1))
        words: Int64s = np.zeros((_FIRST_ROWS, self.WIDTH), np.int64)
        self.place = Place(words)
        self._use(words)

    def take(self) -> int:
        """A row; its numbers are those of whoever had it before."""
        if not self._free:
            rows = len(self.words)
            self._use(grown(self.words))
            self._free = list(range(2 * rows - 1, rows - 1, -1))
        return self._free.pop()

    def release(self, row: int) -> None:
        """Give a row back."""
        self._free.append(row)

    def _use(self, words: Int64s) -> None:
        self.place.move(words)
        self.words = words
        self.reals: Float64s = words.view(np.float64)
        self.word: Any = words.data
        """Views, to be asked by (row, word)."""
        self.real: Any = self.reals.data


class Row:
    """A row of its own for somebody whose end nobody tells; given back with the last that knows of it."""

    __slots__ = ("number", "rows")

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.number = rows.take()

    def __del__(self) -> None:
        self.rows.release(self.number)


class StreamRows(Rows):
    """One row for each received SSRC."""

    __slots__ = ()
    WIDTH = STREAM_WORDS

    def begin(self, clock_rate: int) -> int:
        """A row for a stream that nothing has come of yet."""
        row = self.take()
        self.words[row] = 0
        self.words[row, [HIGHEST, PAYLOAD_TYPE, FRAME]] = -1
        self.words[row, CLOCK_RATE] = clock_rate
        return row


class MeterRows(Rows):
    """One row for each microphone: what its packets said since its last window."""

    __slots__ = ()
    WIDTH = METER_WORDS


class FrameRows(Rows):
    """One row for each run of a layer: :mod:`sfu.compiled.frames` says what is where."""

    __slots__ = ()
    WIDTH = FRAME_WORDS
