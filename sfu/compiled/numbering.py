"""Numbers of renditions, and leaving packets out of them without a hole.

A rendition is a row. The first words are its numbering: highest source number seen, source minus out for what is
newer, pictures left out so far, and where in memory its changes of offset are kept for packets that come late, and
how many there have been. Then what it is and counts: the highest temporal layer that passes, packets and octets so
far, numbers of the newest packet, the lane it needs, where in memory its history is (0: none) and how many packets
that has, and whether its copies wait (LANES, else 0). Last its fan-outs, a few words each: profile, where in memory the
down tracks' rows are, how many, and what its packets must not change places with.
"""

from numba import carray, int64

from sfu.compiled.arrays import Words2
from sfu.compiled.jit import compiled
from sfu.compiled.memory import pointer

HIGHEST, OFFSET, PICTURE_OFFSET, RANGES_AT, RANGE_COUNT = range(5)
TEMPORAL, PACKETS, OCTETS, TIMESTAMP, PICTURE, TL0, KEY_INDEX, LANE, HISTORY_AT, HISTORY_SIZE = range(5, 15)
WAITS, FANS, FAN = range(15, 18)
PROFILE, DOWNS, COUNT, STREAM = range(4)
FAN_WORDS = 4
MOST_FANS = 2
RENDITION_WORDS = FAN + MOST_FANS * FAN_WORDS

MAX_GAP = 3000
"""Missing packets beyond which a step is a restart and no loss (RFC 3550 appendix A.1)."""
RANGES = 128
"""Changes of offset that are remembered for packets that come late, the oldest written over."""
# A change: first source number that it holds for, offsets, and whether the number before was left out.
FIRST, RANGE_OFFSET, RANGE_PICTURE_OFFSET, DROPPED = range(4)
RANGE_WORDS = 4


@compiled
def note(renditions: Words2, row: int, first: int, dropped: bool) -> None:
    """Note that the offsets hold from a source number on."""
    ranges = carray(pointer(renditions[row, RANGES_AT]), (RANGES, RANGE_WORDS), int64)
    at = renditions[row, RANGE_COUNT] % RANGES
    ranges[at, FIRST] = first
    ranges[at, RANGE_OFFSET] = renditions[row, OFFSET]
    ranges[at, RANGE_PICTURE_OFFSET] = renditions[row, PICTURE_OFFSET]
    ranges[at, DROPPED] = dropped
    renditions[row, RANGE_COUNT] += 1


@compiled
def drop(renditions: Words2, row: int, source: int, new_picture: bool) -> None:
    """Take the newest packet out of a rendition."""
    renditions[row, HIGHEST] = source
    renditions[row, OFFSET] += 1
    if new_picture:
        renditions[row, PICTURE_OFFSET] += 1
    note(renditions, row, source + 1, True)
