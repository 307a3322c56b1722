"""Packets kept for retransmission: their bytes in a ring that all share, their numbers in a ring for each rendition.

A position in the shared ring only ever grows; what is there is valid until as many bytes as the ring has came after
it.
"""

from numba import carray, int64

from sfu.compiled.arrays import Bytes, Words
from sfu.compiled.jit import compiled, part
from sfu.compiled.memory import address, copy, pointer

# A packet: its number in the rendition (NOTHING for none), the position of its payload and, behind that, of its
# extension block, extended timestamp, the word of sizes and flags below, VP8's numbers and their places, and its
# layout.
NUMBER, POSITION, TIMESTAMP, SIZES, PICTURE, TL0, PLACES, LAYOUT = range(8)
RECORD_WORDS = 8
NOTHING = -(1 << 62)

# From the lowest bit: 16 of the payload's size, 8 of the block's, then bits and 3 of the temporal layer.
BLOCK_SHIFT, MARKER_SHIFT, SLOT_SHIFT, KEYFRAME_SHIFT, START_SHIFT, SYNC_SHIFT, TEMPORAL_SHIFT = (
    16, 24, 25, 26, 27, 28, 29,
)  # fmt: skip
# From the lowest bit, 8 each: place of the picture id, of TL0PICIDX, key index, its place.
TL0_AT_SHIFT, KEY_INDEX_SHIFT, KEY_INDEX_AT_SHIFT = 8, 16, 24
MOST_PAYLOAD, MOST_BLOCK, MOST_PLACE = 0xFFFF, 0xFF, 0xFF


@compiled
def reserve(ring: Bytes, head: Words, size: int) -> int:
    """Room for so many bytes one after the other; returns their position."""
    begin = head[0]
    if begin % len(ring) + size > len(ring):
        begin += len(ring) - begin % len(ring)
    head[0] = begin + size
    return begin


@part
def keep(ring: Bytes, head: Words, payload: int, size: int, block: int, block_size: int) -> int:
    """Keep the bytes of a packet, given by where in memory they are; returns their position."""
    position = reserve(ring, head, size + block_size)
    target = address(ring) + position % len(ring)
    copy(target, payload, size)
    copy(target + size, block, block_size)
    return position


@part
def store(history: int, slots: int, record: Words) -> None:
    """Keep the numbers of the newest packet of a rendition, whose history has so many places, a power of two."""
    records = carray(pointer(history), (slots, RECORD_WORDS), int64)
    at = record[NUMBER] & (slots - 1)
    for word in range(RECORD_WORDS):
        records[at, word] = record[word]
