"""The newest packets of one rendition, shared by all that retransmit from it.

They are kept as bytes and numbers, not as objects: a call keeps hundreds of thousands of packets, which the garbage
collector would look at again and again, and which are slow to let go of when they have grown cold.
"""

import struct
from array import array

from sfu.forwarding.layout import Layout
from sfu.forwarding.packet import MediaPacket, packet_of

SLOTS = 1024
"""About three seconds of a 3 Mbps layer; as deep as the window of a received stream."""

_NEVER = -1
_RECORD = struct.Struct("=qBB??B?qHqHBH")
"""The fields of a packet but for payload and extensions."""


class History:
    """A ring of packets by extended sequence number."""

    __slots__ = ("_blocks", "_layouts", "_mask", "_numbers", "_payloads", "_records")

    def __init__(self, size: int = SLOTS) -> None:
        """``size`` must be a power of two."""
        if size < 1 or size & (size - 1):
            raise ValueError(f"{size} is no power of two")
        self._mask = size - 1
        self._numbers = array("q", [_NEVER]) * size
        self._records = bytearray(size * _RECORD.size)
        self._payloads: list[bytes] = [b""] * size
        self._layouts: list[Layout | None] = [None] * size
        self._blocks = [0] * size

    def store(self, ext_seq: int, packet: MediaPacket) -> None:
        """Keep a packet, whose payload is bytes, in the place of the one a ring's length older.

        One too old to have a place is dropped.
        """
        at = ext_seq & self._mask
        if self._numbers[at] > ext_seq:
            return
        self._numbers[at] = ext_seq
        payload, timestamp, marker, slot, layout, block = packet[:6]
        assert isinstance(payload, bytes)
        self._payloads[at] = payload
        self._layouts[at] = layout
        self._blocks[at] = block
        _RECORD.pack_into(self._records, at * _RECORD.size, timestamp, marker, slot, *packet[6:])

    def find(self, ext_seq: int) -> MediaPacket | None:
        """The packet of this number, None if it never came or was overwritten."""
        at = ext_seq & self._mask
        layout = self._layouts[at]
        if self._numbers[at] != ext_seq or layout is None:
            return None
        timestamp, marker, slot, *rest = _RECORD.unpack_from(self._records, at * _RECORD.size)
        payload, block = self._payloads[at], self._blocks[at]
        return packet_of((payload, timestamp, marker, slot, layout, block, *rest))
