"""The VP8 payload descriptor (RFC 7741 section 4.2) in the form in which it can be forwarded as it is."""

from sfu.compiled.arrays import Bytes2, Words
from sfu.compiled.jit import part

# What is read: whether a frame starts and whether it is a key frame, temporal layer and whether it only needs the
# lowest, VP8's numbers (-1: no picture id) and their places in the payload (0: not there).
START, KEYFRAME, TEMPORAL, SYNC, PICTURE, PICTURE_AT, TL0, TL0_AT, KEY_INDEX, KEY_INDEX_AT = range(10)
DESCRIPTOR_WORDS = 10

_LONGEST = 6


@part
def read(memory: Bytes2, row: int, start: int, end: int, found: Words) -> bool:
    """Read the descriptor of a payload; False if it is short, or has a 7-bit picture id."""
    for word in range(DESCRIPTOR_WORDS):
        found[word] = 0
    found[PICTURE] = -1
    if end - start <= _LONGEST:
        return False
    first = int(memory[row, start])
    at = start + 1
    if first & 0x80:
        present = int(memory[row, at])
        at += 1
        if present & 0x80:
            if not memory[row, at] & 0x80:
                return False
            found[PICTURE_AT] = at - start
            found[PICTURE] = (int(memory[row, at]) & 0x7F) << 8 | int(memory[row, at + 1])
            at += 2
        if present & 0x40:
            found[TL0_AT] = at - start
            found[TL0] = memory[row, at]
            at += 1
        if present & 0x20:
            found[TEMPORAL] = memory[row, at] >> 6
            found[SYNC] = memory[row, at] & 0x20 != 0
        if present & 0x10:
            found[KEY_INDEX_AT] = at - start
            found[KEY_INDEX] = memory[row, at] & 0x1F
        if present & 0x30:
            at += 1
    found[START] = first & 0x17 == 0x10
    found[KEYFRAME] = found[START] and not memory[row, at] & 1
    return True


@part
def extend(reference: int, number: int, bits: int) -> int:
    """The number without its wrap, nearest to the reference; a tie goes forward."""
    half = (1 << (bits - 1)) - 1
    return reference + ((number - reference + half) & ((1 << bits) - 1)) - half
