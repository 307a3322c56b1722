"""Layouts of header extensions by number, so that many packets are compared with theirs at once.

The first bytes of a packet are taken as a row of 64-bit words; a packet has a layout if they are, under the layout's
mask, the layout's pattern. That covers the first byte too: such packets have neither CSRCs nor padding.
"""

import numpy as np

from sfu.forwarding.layout import Layout
from sfu.net.arrays import Bools, Int64s, UInt64s
from sfu.rtp.header import FIXED_LENGTH

HEAD_BYTES = 64
"""So many bytes of a packet are looked at; longer extension blocks are left to the way of single packets."""
UNKNOWN = 0
LAYOUTS = 1024
"""Layouts remembered at most."""
_PLAIN, _EXTENDED = 0x80, 0x90


class LayoutTable:
    """Numbers count from 1. They are only good for a first try: a number may have come to mean another layout."""

    __slots__ = ("_masks", "_numbers", "_patterns", "known", "levels", "sizes", "twccs")

    def __init__(self) -> None:
        words = HEAD_BYTES // 8
        self.known: list[Layout | None] = [None]
        """By number."""
        self._numbers: dict[Layout, int] = {}
        self._masks: UInt64s = np.zeros((LAYOUTS, words), np.uint64)
        self._patterns: UInt64s = np.ones((LAYOUTS, words), np.uint64)  # no packet is like that
        self.sizes: Int64s = np.zeros(LAYOUTS, np.int64)
        """Bytes of the extension block."""
        self.twccs: Int64s = np.zeros(LAYOUTS, np.int64)
        """Where in the packet the transport-wide sequence number is; 0 without ..."""
        self.levels: Int64s = np.zeros(LAYOUTS, np.int64)
        """... and the byte with the audio level."""

    def number(self, layout: Layout, size: int) -> int:
        """The number of a layout of blocks of ``size`` bytes; UNKNOWN if they are too long, or empty, or there
        is no room."""
        number = self._numbers.get(layout)
        if number is not None:
            return number
        if FIXED_LENGTH + size > HEAD_BYTES or (size and not layout.pattern) or len(self.known) == LAYOUTS:
            return UNKNOWN
        number = self._numbers[layout] = len(self.known)
        self.known.append(layout)
        head = (_EXTENDED if size else _PLAIN) << 8 * (FIXED_LENGTH - 1)
        mask = 0xFF << 8 * (FIXED_LENGTH - 1)
        whole = (1 << 8 * size) - 1
        self._masks[number] = _words(mask << 8 * size | layout.mask & whole, size)
        self._patterns[number] = _words(head << 8 * size | layout.pattern, size)
        self.sizes[number] = size
        end = FIXED_LENGTH + size
        self.twccs[number] = end - 2 - layout.twcc // 8 if layout.twcc >= 0 else 0
        self.levels[number] = end - 1 - layout.level // 8 if layout.level >= 0 else 0
        return number

    def fit(self, numbers: Int64s, heads: UInt64s) -> Bools:
        """Whether packets, given by their first bytes, have these layouts."""
        same: Bools = ((heads & self._masks[numbers]) == self._patterns[numbers]).all(axis=1)
        return same

    def tidy(self) -> None:
        """Forget everything if it is full; numbers given before mean nothing then."""
        if len(self.known) == LAYOUTS:
            del self.known[1:]
            self._numbers.clear()
            self._masks[:], self._patterns[:] = 0, 1


def _words(number: int, size: int) -> UInt64s:
    """The first bytes of a packet whose fixed header and extension block are this number."""
    head = number.to_bytes(FIXED_LENGTH + size, "big").ljust(HEAD_BYTES, b"\0")
    return np.frombuffer(head, np.uint64)
