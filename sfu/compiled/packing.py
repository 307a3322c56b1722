"""The order in which a tick's packets go to each destination, and their padding: what makes long runs for UDP GSO.

The kernel takes one message for several datagrams to one destination if all are of equal size but the last, which
may be shorter. Encoders split a frame into packets that differ by a few bytes, and packets of different streams come
mixed. So frames are kept together and their packets padded to equal size where that is cheap (RFC 3550 section 5.1, the
P bit), and larger packets go before smaller ones, of which each run takes one more.

Packets of one stream never change places. Between streams there is no order within a tick.
"""

from typing import Any

from sfu.compiled.arrays import Halves, Halves2, Words2
from sfu.compiled.jit import compiled, part
from sfu.compiled.outgoing import (
    BUCKET,
    FIRST,
    FRAME_COLUMNS,
    FRAME_OF,
    LAST,
    LENGTH,
    NEXT,
    PADDED,
    STREAM,
    TIMESTAMP,
    TURN,
)
from sfu.compiled.sorting import order, spare_size

PADDING_SHARE = 32
"""Padding may take one byte in so many."""
MAX_PADDING = 32
MOST_PACKETS = 512
"""Packets arranged at most."""
BUCKETS = 1024
"""Places for streams; more than packets, and a power of two."""
_LONGER = 1 << 16
"""Than any packet."""


@part
def _bucket(packets: Words2, index: int, buckets: Halves) -> Any:
    """Where the stream of a packet is among all streams, or would be."""
    stream = packets[index, STREAM]
    at = (stream >> 4 ^ stream >> 14) & (BUCKETS - 1)
    while buckets[at] and packets[buckets[at] - 1, STREAM] != stream:
        at = (at + 1) & (BUCKETS - 1)
    return at


@part
def _find_frames(packets: Words2, count: int, frames: Halves2, buckets: Halves) -> int:
    """Note which packets are a frame, and its turn in its stream; returns how many frames there are."""
    found = 0
    for index in range(count):
        bucket = _bucket(packets, index, buckets)
        before = buckets[bucket] - 1
        buckets[bucket] = index + 1
        frames[index, BUCKET] = bucket
        frames[index, NEXT] = -1
        turn = 0
        if before >= 0:
            frame = frames[before, FRAME_OF]
            if packets[before, TIMESTAMP] == packets[index, TIMESTAMP]:
                frames[frames[frame, LAST], NEXT] = index
                frames[frame, LAST] = index
                frames[index, FRAME_OF] = frame
                continue
            turn = frames[frame, TURN] + 1
        frames[found, TURN] = turn
        frames[found, FIRST] = frames[found, LAST] = index
        frames[index, FRAME_OF] = found
        found += 1
    for index in range(count):
        buckets[frames[index, BUCKET]] = 0
    return found


@part
def _cheap(low: int, high: int) -> bool:
    return high - low <= min(MAX_PADDING, high // PADDING_SHARE)


@part
def _lengthen(packets: Words2, frames: Halves2, begin: int, end: int, length: int) -> None:
    index = begin
    while index != end:
        packets[index, PADDED] = length
        index = frames[index, NEXT]


@part
def _pad(packets: Words2, frames: Halves2, first: int) -> None:
    """Lengthen packets of a frame to the largest of those around it, as far as the limits allow."""
    low = high = packets[first, LENGTH]
    index = frames[first, NEXT]
    while index >= 0:
        low, high = min(low, packets[index, LENGTH]), max(high, packets[index, LENGTH])
        index = frames[index, NEXT]
    if _cheap(low, high):  # as in nearly all frames: one run
        _lengthen(packets, frames, first, -1, high)
        return
    begin = first
    smallest = largest = packets[first, LENGTH]
    index = frames[first, NEXT]
    while index >= 0:
        length = packets[index, LENGTH]
        low, high = min(smallest, length), max(largest, length)
        if _cheap(low, high):
            smallest, largest = low, high
        else:
            _lengthen(packets, frames, begin, index, largest)
            begin = index
            smallest = largest = length
        index = frames[index, NEXT]
    _lengthen(packets, frames, begin, -1, largest)


@part
def place_of_spare(packets: int) -> int:
    """Where what :func:`order` needs is in the scratch of so many packets at most."""
    return packets * (1 + FRAME_COLUMNS) + BUCKETS


@compiled
def arrange(packets: Words2, count: int, pad: bool, rows: Halves2, scratch: Halves) -> None:
    """Put the first ``count`` packets in the order to send them in, at the front of ``scratch``; find padded sizes.

    Packets of equal stream and timestamp that follow each other in their stream are one frame. Only packets of a frame
    are padded, so audio never is. ``scratch``: :func:`scratch_size`, zero at first; ``rows`` has room for ``count``.
    """
    for index in range(count):
        packets[index, PADDED] = packets[index, LENGTH]
    if count == 1:
        scratch[0] = 0
        return
    most = len(packets)
    buckets = scratch[most : most + BUCKETS]
    frames = scratch[most + BUCKETS : most + BUCKETS + most * FRAME_COLUMNS].reshape(most, FRAME_COLUMNS)
    found = _find_frames(packets, count, frames, buckets)
    for frame in range(found):
        first = frames[frame, FIRST]
        if pad and frames[frame, LAST] != first:
            _pad(packets, frames, first)
        rows[frame, 0] = _LONGER * frames[frame, TURN] + (_LONGER - packets[first, PADDED])
        rows[frame, 1] = first
    order(rows, found, scratch[place_of_spare(most) :])
    at = 0
    for frame in range(found):
        index = rows[frame, 1]
        while index >= 0:
            scratch[at] = index
            at += 1
            index = frames[index, NEXT]


def scratch_size(packets: int, rows: int) -> int:
    """Numbers needed to arrange so many packets at most, and then to put so many rows in order."""
    return int(place_of_spare(packets)) + spare_size(rows)
