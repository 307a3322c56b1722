"""The newest packets of one rendition, shared by all that retransmit from it.

Their bytes are in a ring of memory that all renditions of an engine share, so the newest video of all is kept,
whoever sent it; their numbers are in a ring for each rendition. Compiled loops write both.
"""

import numpy as np

from sfu.compiled.history import (
    BLOCK_SHIFT,
    KEY_INDEX_AT_SHIFT,
    KEY_INDEX_SHIFT,
    KEYFRAME_SHIFT,
    MARKER_SHIFT,
    MOST_BLOCK,
    MOST_PAYLOAD,
    MOST_PLACE,
    NOTHING,
    NUMBER,
    RECORD_WORDS,
    SLOT_SHIFT,
    START_SHIFT,
    SYNC_SHIFT,
    TEMPORAL_SHIFT,
    TL0_AT_SHIFT,
    reserve,
)
from sfu.forwarding.layout import Layout
from sfu.forwarding.layout_table import LayoutTable
from sfu.forwarding.packet import MediaPacket, packet_of
from sfu.net.arrays import Int64s, UInt8s

SLOTS = 1024
"""About three seconds of a 3 Mbps layer; as deep as the window of a received stream."""
STORE_BYTES = 1 << 20
"""Memory for packets, at least: compiled loops rely on it that any packet fits."""


class Store:
    """The bytes of kept packets, one behind the other; the oldest are written over."""

    __slots__ = ("_memory", "head", "layouts", "ring")

    def __init__(self, size: int = STORE_BYTES, layouts: LayoutTable | None = None) -> None:
        """``layouts`` are those that packets are kept under by number."""
        self.ring: UInt8s = np.zeros(size, np.uint8)
        self._memory = self.ring.data
        self.head: Int64s = np.zeros(1, np.int64)
        """The position behind the newest."""
        self.layouts = LayoutTable() if layouts is None else layouts

    def put(self, payload: bytes | memoryview, block: bytes) -> int:
        """Keep bytes; returns their position."""
        size = len(payload)
        position = reserve(self.ring, self.head, size + len(block))
        at = position % len(self.ring)
        self._memory[at : at + size] = payload
        self._memory[at + size : at + size + len(block)] = block
        return position

    def get(self, position: int, size: int, block_size: int) -> tuple[bytes, int] | None:
        """A payload, and the block as a number; None if they have been written over."""
        if self.head[0] - position > len(self.ring):
            return None
        at = position % len(self.ring)
        block = self._memory[at + size : at + size + block_size]
        return bytes(self._memory[at : at + size]), int.from_bytes(block, "big")


class History:
    """A ring of packets by extended sequence number."""

    __slots__ = ("_layouts", "_store", "records")

    def __init__(self, size: int = SLOTS, store: Store | None = None) -> None:
        """``size`` must be a power of two."""
        if size < 1 or size & (size - 1):
            raise ValueError(f"{size} is no power of two")
        self._store = Store() if store is None else store
        self.records: Int64s = np.zeros((size, RECORD_WORDS), np.int64)
        self.records[:, NUMBER] = NOTHING
        self._layouts: dict[int, Layout] = {}
        """Of packets whose layout has no number, by place."""

    def store(self, ext_seq: int, packet: MediaPacket) -> None:
        """Keep a packet in the place of the one a ring's length older.

        One too old to have a place, or too strange, is dropped.
        """
        at = ext_seq & (len(self.records) - 1)
        if self.records[at, NUMBER] > ext_seq:
            return
        (payload, timestamp, marker, slot, layout, number, keyframe, picture_start, temporal, sync,
         picture, picture_at, tl0, tl0_at, key_index, key_index_at) = packet  # fmt: skip
        block = number.to_bytes((number.bit_length() + 7) // 8, "big")
        if len(payload) > MOST_PAYLOAD or len(block) > MOST_BLOCK or picture_at > MOST_PLACE:
            return
        known = self._store.layouts.known_number(layout)
        if known:
            self._layouts.pop(at, None)
        else:
            self._layouts[at] = layout
        sizes = (
            len(payload)
            | len(block) << BLOCK_SHIFT
            | marker >> 7 << MARKER_SHIFT
            | slot << SLOT_SHIFT
            | keyframe << KEYFRAME_SHIFT
            | picture_start << START_SHIFT
            | sync << SYNC_SHIFT
            | temporal << TEMPORAL_SHIFT
        )
        places = (
            picture_at
            | tl0_at << TL0_AT_SHIFT
            | key_index << KEY_INDEX_SHIFT
            | key_index_at << KEY_INDEX_AT_SHIFT
        )
        position = self._store.put(payload, block)
        self.records[at] = (ext_seq, position, timestamp, sizes, picture, tl0, places, known)

    def find(self, ext_seq: int) -> MediaPacket | None:
        """The packet of this number, None if it never came or was overwritten."""
        at = ext_seq & (len(self.records) - 1)
        number, position, timestamp, sizes, picture, tl0, places, known = self.records[at].tolist()
        if number != ext_seq:
            return None
        found = self._store.get(position, sizes & MOST_PAYLOAD, sizes >> BLOCK_SHIFT & MOST_BLOCK)
        layout = self._store.layouts.of(known) if known else self._layouts.get(at)
        if found is None or layout is None:
            return None
        payload, block = found
        return packet_of(
            (
                payload,
                timestamp,
                (sizes >> MARKER_SHIFT & 1) << 7,
                sizes >> SLOT_SHIFT & 1,
                layout,
                block,
                bool(sizes >> KEYFRAME_SHIFT & 1),
                bool(sizes >> START_SHIFT & 1),
                sizes >> TEMPORAL_SHIFT & 7,
                bool(sizes >> SYNC_SHIFT & 1),
                picture,
                places & MOST_PLACE,
                tl0,
                places >> TL0_AT_SHIFT & MOST_PLACE,
                places >> KEY_INDEX_SHIFT & MOST_PLACE,
                places >> KEY_INDEX_AT_SHIFT & MOST_PLACE,
            )
        )
