"""Rows of outgoing packets, written and encrypted by compiled loops and sent in one go."""

import struct

import numpy as np

from sfu.compiled.outgoing import PLAIN, ROW_COLUMNS
from sfu.net.arrays import Int32s, UInt8s

_ROW = struct.Struct(f"={ROW_COLUMNS}i")


class SendArena:
    """``capacity`` rows of ``stride`` bytes; each row is one packet for one peer, with room for the SRTP tag."""

    __slots__ = (
        "_bytes",
        "_numbers",
        "capacity",
        "count",
        "memory",
        "piecewise",
        "plain",
        "rows",
        "stride",
        "unusual",
        "urgent",
    )

    def __init__(self, capacity: int, stride: int, *, piecewise: bool = False) -> None:
        if stride % 8:
            raise ValueError("the stride must be whole words")
        self.capacity = capacity
        self.stride = stride
        self.memory: UInt8s = np.zeros(capacity * stride, np.uint8)
        self.rows: Int32s = np.zeros((capacity, ROW_COLUMNS), np.int32)
        """Size, row of the destination in the peer table, and state (``sfu.compiled.outgoing``) of each packet."""
        self._bytes = self.memory.data
        self._numbers = self.rows.data.cast("B")
        self.count = 0
        self.plain = 0
        """Rows that are yet to be encrypted."""
        self.unusual = 0
        """Rows that could not be."""
        self.piecewise = piecewise
        """Each filling is a piece of something larger."""
        self.urgent = False
        """Small packets, audio among them: what a full socket buffer refuses is kept for the next turn."""

    def append(self, peer: int, packet: bytes) -> None:
        """Add one finished RTP packet (a retransmission); the caller has checked that there is room."""
        index = self.count
        start, size = index * self.stride, len(packet)
        self._bytes[start : start + size] = packet
        _ROW.pack_into(self._numbers, index * _ROW.size, size, peer, PLAIN)
        self.plain += 1
        self.count = index + 1

    def packet(self, row: int) -> memoryview:
        """The bytes of a row's packet, encrypted or not."""
        start = row * self.stride
        return self._bytes[start : start + int(self.rows[row, 0])]

    def clear(self) -> None:
        """Leave nothing in it."""
        self.count = self.plain = self.unusual = 0
