"""Numbers by 64-bit keys, found for many keys at once."""

import numpy as np

from sfu.net.arrays import Int64s, UInt64s

MISSING = -1
_LAST = 2**64 - 1


class Lookup:
    """A sorted array of keys; to be changed seldom and asked often. The largest 64-bit number can't be a key."""

    __slots__ = ("_keys", "_values")

    def __init__(self) -> None:
        self._keys: UInt64s = np.array([_LAST], np.uint64)
        self._values: Int64s = np.array([MISSING], np.int64)

    def __len__(self) -> int:
        return len(self._keys) - 1

    def put(self, key: int, value: int) -> None:
        """Remember a number; what the key meant before is forgotten."""
        at = int(self._keys.searchsorted(np.uint64(key)))
        if self._keys[at] == key:
            self._values[at] = value
            return
        self._keys = np.insert(self._keys, at, np.uint64(key))
        self._values = np.insert(self._values, at, value)

    def drop(self, key: int) -> None:
        """Forget a key, known or not."""
        at = int(self._keys.searchsorted(np.uint64(key)))
        if self._keys[at] == key:
            self._keys = np.delete(self._keys, at)
            self._values = np.delete(self._values, at)

    def find(self, keys: UInt64s) -> Int64s:
        """The number of each key; MISSING where there is none."""
        at = self._keys.searchsorted(keys)
        found: Int64s = np.where(self._keys[at] == keys, self._values[at], MISSING)
        return found
