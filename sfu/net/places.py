"""Where arrays are, for compiled loops: see :mod:`sfu.compiled.places`."""

from collections.abc import Mapping

import numpy as np

from sfu.compiled.places import AT, LENGTH, PLACE_WORDS
from sfu.net.arrays import AnyArray, Int64s


class Place:
    """The place of an array, which it keeps alive; to be told when another one takes its place."""

    __slots__ = ("_array", "address", "words")

    def __init__(self, array: AnyArray) -> None:
        self.words: Int64s = np.zeros(PLACE_WORDS, np.int64)
        self.address: int = self.words.ctypes.data
        """Where the place itself is; it stays there."""
        self.move(array)

    def move(self, array: AnyArray, address: int | None = None) -> None:
        """This is the array from now on. To ask numpy for its ``address`` takes a microsecond or two."""
        if not array.flags.c_contiguous:
            raise ValueError("compiled loops take arrays in one piece")
        self._array = array
        self.words[AT] = array.ctypes.data if address is None else address
        self.words[LENGTH] = len(array)


class Places:
    """A list of places by number, which it keeps alive."""

    __slots__ = ("_kept", "words")

    def __init__(self, arrays: Mapping[int, Place | AnyArray]) -> None:
        """All numbers from 0 on; of an array that never moves the place is made here."""
        self._kept = [
            array if isinstance(array, Place) else Place(array)
            for array in (arrays[number] for number in range(len(arrays)))
        ]
        self.words: Int64s = np.array([place.address for place in self._kept], np.int64)
