"""Row numbers by keys of a few words, for compiled loops to find."""

import secrets

import numpy as np

from sfu.compiled import table
from sfu.compiled.table import MISSING, VALUE, WORDS
from sfu.net.arrays import Int64s

_FIRST_SLOTS = 16

Key = tuple[int, int, int, int]
"""Four signed 64-bit numbers."""


class Lookup:
    """A hash table that keeps itself half empty."""

    __slots__ = ("_count", "table")

    def __init__(self) -> None:
        self._count = 0
        self.table = _empty(_FIRST_SLOTS)
        """For :func:`sfu.compiled.table.find`; another one after it has grown."""

    def __len__(self) -> int:
        return self._count

    def put(self, key: Key, value: int) -> None:
        """Remember a number, not negative; what the key meant before is forgotten."""
        self._count += table.put(self.table, *key, value)
        if 2 * self._count >= len(self.table) - 1:
            self._grow()

    def drop(self, key: Key) -> None:
        """Forget a key, known or not."""
        self._count -= table.drop(self.table, *key)

    def find(self, key: Key) -> int:
        """The number of a key; MISSING if it isn't there."""
        return table.find(self.table, *key)

    def _grow(self) -> None:
        before = self.table[:-1]
        self.table = _empty(2 * len(before))
        for first, second, third, fourth, value in before[before[:, VALUE] != MISSING].tolist():
            table.put(self.table, first, second, third, fourth, value)


def _empty(slots: int) -> Int64s:
    made = np.full((slots + 1, WORDS), MISSING, np.int64)
    made[-1, 0] = secrets.randbits(62)
    return made
