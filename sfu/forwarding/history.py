"""The newest packets of one rendition, shared by all that retransmit from it.

They are kept as bytes and numbers, not as objects: a call keeps hundreds of thousands of packets, which the garbage
collector would look at again and again, and which are slow to let go of when they have grown cold.
"""

import struct

from sfu.forwarding.layout import Layout
from sfu.forwarding.packet import MediaPacket, packet_of

SLOTS = 1024
"""About three seconds of a 3 Mbps layer; as deep as the window of a received stream."""

_NUMBER = struct.Struct("=q")
_RECORD = struct.Struct("=qqBB??B?qHqHBH")
"""The number of a packet, and its fields but for payload and extensions."""
_OBJECTS = 3
"""Payload, layout and block."""


class History:
    """A ring of packets by extended sequence number."""

    __slots__ = ("_highest", "_mask", "_objects", "_records")

    def __init__(self, size: int = SLOTS) -> None:
        """``size`` must be a power of two."""
        if size < 1 or size & (size - 1):
            raise ValueError(f"{size} is no power of two")
        self._mask = size - 1
        self._highest = -1 << 63
        self._records = bytearray(size * _RECORD.size)
        self._objects: list[bytes | Layout | int | None] = [None] * (_OBJECTS * size)

    def store(self, ext_seq: int, packet: MediaPacket) -> None:
        """Keep a packet, whose payload is bytes, in the place of the one a ring's length older.

        One too old to have a place is dropped.
        """
        at = ext_seq & self._mask
        record, first = at * _RECORD.size, at * _OBJECTS
        objects = self._objects
        if ext_seq > self._highest:
            self._highest = ext_seq
        elif objects[first] is not None and _NUMBER.unpack_from(self._records, record)[0] > ext_seq:
            return
        (payload, timestamp, marker, slot, layout, block, keyframe, picture_start, temporal, sync,
         picture, picture_at, tl0, tl0_at, key_index, key_index_at) = packet  # fmt: skip
        assert type(payload) is bytes
        objects[first] = payload
        objects[first + 1] = layout
        objects[first + 2] = block
        # All by name: slices of the packet would take twice as long.
        _RECORD.pack_into(
            self._records, record, ext_seq, timestamp, marker, slot, keyframe, picture_start, temporal, sync,
            picture, picture_at, tl0, tl0_at, key_index, key_index_at,
        )  # fmt: skip

    def find(self, ext_seq: int) -> MediaPacket | None:
        """The packet of this number, None if it never came or was overwritten."""
        at = ext_seq & self._mask
        payload, layout, block = self._objects[at * _OBJECTS : (at + 1) * _OBJECTS]
        number, timestamp, marker, slot, *rest = _RECORD.unpack_from(self._records, at * _RECORD.size)
        if number != ext_seq or payload is None:
            return None
        return packet_of((payload, timestamp, marker, slot, layout, block, *rest))
