"""Layouts of header extensions by number, for compiled loops to compare packets with.

The first bytes of a packet are taken as words; a packet has a layout if they are, under the layout's mask, the
layout's pattern. That covers the first byte too: such packets have neither CSRCs nor padding.
"""

import numpy as np

from sfu.compiled.intake import (
    FIXED_LENGTH,
    HEAD_WORDS,
    LAYOUT_WORDS,
    LEVEL_AT,
    PATTERN,
    SIZE,
    TWCC_AT,
)
from sfu.forwarding.layout import Layout
from sfu.net.arrays import Int64s

HEAD_BYTES = 8 * HEAD_WORDS
"""So many bytes of a packet are looked at; longer extension blocks are left to the way of single packets."""
UNKNOWN = 0
LAYOUTS = 1024
"""Layouts remembered at most."""
_PLAIN, _EXTENDED = 0x80, 0x90
_NUMBER = 0xFFFF
EPOCH = 0
"""Where, in the row of what is unknown, it says how often everything was forgotten; a multiple of all numbers."""


class LayoutTable:
    """Numbers count from 1, and mean nothing any more after :meth:`clear`."""

    __slots__ = ("_numbers", "known", "words")

    def __init__(self) -> None:
        self.known: list[Layout | None] = [None]
        """By number."""
        self._numbers: dict[Layout, int] = {}
        self.words: Int64s = np.zeros((LAYOUTS, LAYOUT_WORDS), np.int64)
        """As :mod:`sfu.compiled.intake` reads them."""

    @property
    def full(self) -> bool:
        return len(self.known) == LAYOUTS

    def number(self, layout: Layout, size: int) -> int:
        """The number of a layout of blocks of ``size`` bytes; UNKNOWN if they are too long, or empty, or there
        is no room."""
        number = self._numbers.get(layout)
        if number is not None:
            return number if int(self.words[number, SIZE]) == size else UNKNOWN
        if FIXED_LENGTH + size > HEAD_BYTES or (size and not layout.pattern) or self.full:
            return UNKNOWN
        number = self._numbers[layout] = len(self.known)
        self.known.append(layout)
        head = (_EXTENDED if size else _PLAIN) << 8 * (FIXED_LENGTH - 1)
        mask = 0xFF << 8 * (FIXED_LENGTH - 1)
        whole = (1 << 8 * size) - 1
        words = self.words[number]
        words[:PATTERN] = _words(mask << 8 * size | layout.mask & whole, size)
        words[PATTERN:SIZE] = _words(head << 8 * size | layout.pattern, size)
        end = FIXED_LENGTH + size
        words[SIZE] = size
        words[TWCC_AT] = end - 2 - layout.twcc // 8 if layout.twcc >= 0 else 0
        words[LEVEL_AT] = end - 1 - layout.level // 8 if layout.level >= 0 else 0
        return number

    def number_of(self, layout: Layout) -> int:
        """The number of a layout, if it has one."""
        return self._numbers.get(layout, UNKNOWN)

    def known_number(self, layout: Layout) -> int:
        """The number of a layout for who keeps it, 0 if it has none; :meth:`of` takes it back, for as long as it
        is known.
        """
        number = self.number_of(layout)
        return number and int(self.words[UNKNOWN, EPOCH]) | number

    def of(self, known_number: int) -> Layout | None:
        """The layout that has been kept under a number; None if it is known no more."""
        number = known_number & _NUMBER
        return self.known[number] if known_number - number == self.words[UNKNOWN, EPOCH] else None

    def clear(self) -> None:
        """Forget everything."""
        del self.known[1:]
        self._numbers.clear()
        self.words[UNKNOWN, EPOCH] += _NUMBER + 1


def _words(number: int, size: int) -> Int64s:
    """The first bytes of a packet whose fixed header and extension block are this number."""
    head = number.to_bytes(FIXED_LENGTH + size, "big").ljust(HEAD_BYTES, b"\0")
    return np.frombuffer(head, np.int64)
