"""Row numbers by keys of a few words, for compiled loops to find."""

import secrets
from typing import Any

import numpy as np

from sfu.compiled import table
from sfu.compiled.table import COUNT, MISSING, SEED, WORDS
from sfu.net.arrays import Int64s
from sfu.net.places import Place

_FIRST_SLOTS = 16

Key = tuple[int, int, int, int]
"""Four signed 64-bit numbers."""


class Lookup:
    """A hash table that keeps itself half empty."""

    __slots__ = ("_cell", "place", "table")

    def __init__(self, words: int = WORDS) -> None:
        """``words`` in each row; those behind the number are for whoever has the table."""
        self.table = _empty(_FIRST_SLOTS, words)
        """For :func:`sfu.compiled.table.find`; another one after it has grown."""
        self._cell: Any = self.table.data
        self.place = Place(self.table)

    def __len__(self) -> int:
        count: int = self._cell[-1, COUNT]
        return count

    def put(self, key: Key, value: int) -> None:
        """Remember a number, not negative; what the key meant before is forgotten."""
        self.reserve(1)
        table.put(self.table, *key, value)

    def drop(self, key: Key) -> None:
        """Forget a key, known or not."""
        table.drop(self.table, *key)

    def find(self, key: Key) -> int:
        """The number of a key; MISSING if it isn't there."""
        return table.find(self.table, *key)

    def reserve(self, count: int) -> None:
        """Have room for so many more keys."""
        needed = 2 * (self._cell[-1, COUNT] + count)
        before = self.table
        if needed > len(before) - 1:
            self._use(_empty(1 << (needed - 1).bit_length(), before.shape[1]))
            table.move(before, self.table)

    def clear(self) -> None:
        """Forget all keys."""
        self._use(_empty(_FIRST_SLOTS, self.table.shape[1]))

    def _use(self, table: Int64s) -> None:
        self.table, self._cell = table, table.data
        self.place.move(table)


def _empty(slots: int, words: int) -> Int64s:
    made = np.full((slots + 1, words), MISSING, np.int64)
    made[-1, SEED], made[-1, COUNT] = secrets.randbits(62), 0
    return made
