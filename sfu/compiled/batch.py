"""A batch of datagrams in one call: receive it, take it in, let go on what is plain, and send its copies."""

from sfu.compiled import places
from sfu.compiled.arrays import Words
from sfu.compiled.dispatch import UNFINISHED, depart
from sfu.compiled.intake import (
    CALLS,
    DATAGRAMS,
    DEPARTED,
    KIND,
    LEFT,
    NOTHING,
    OTHER,
    PACKETS,
    RECORD_WORDS,
    RECORDS,
    SOMETHING,
    WAITING,
    receive,
    take,
)
from sfu.compiled.jit import compiled, part
from sfu.compiled.messages import HEADER_WORDS
from sfu.compiled.outgoing import ADDED, LANE_WORDS, LANES
from sfu.compiled.relay import relay

_SEND_TIME_SHIFT = 18
"""Of abs-send-time: 24 bits, the lower ones of them parts of a second."""

STAY, DEPART, CUT, GATHER = 0, 1, 2, 4
"""What to do with copies: leave them in their lanes, or send them; with GSO, and those of small packets with others."""


@part
def _all_plain(where: Words, records: int) -> bool:
    """Whether no media is among what is left for the caller."""
    record = places.words2(where, places.RECORDS, RECORD_WORDS)
    for index in range(records):  # noqa: SIM110 - numba compiles no generators
        if record[index, KIND] <= OTHER:
            return False
    return True


@part
def _left(where: Words) -> int:
    """What lanes have been given that has not been written: SOMETHING, NOTHING, or WAITING."""
    lanes = places.words2(where, places.LANES, LANE_WORDS)
    left = NOTHING
    for number in range(len(lanes)):
        if lanes[number, ADDED]:
            if number < LANES:
                return SOMETHING
            left = WAITING
    return left


@compiled
def batch(
    where: Words, fd: int, first: int, count: int, level: int, onward: int, now: float, unix_now: float
) -> int:
    """Take a batch, from row ``first`` on; returns the row to go on with, and says the rest in totals.

    ``where`` is the list of places. At the first row of it as many as ``count`` datagrams are received from ``fd``,
    unless that is -1: then so many are there. ``level`` is that of overload, ``unix_now`` the same time as ``now``.
    ``onward``: DEPART, and what goes with it, if lanes and arenas are empty; then copies of a batch that has no media
    but what is plain have been sent, as :func:`depart` says.
    """
    totals = places.words(where, places.TOTALS)
    if not first:
        headers = places.words2(where, places.HEADERS, HEADER_WORDS)
        count = min(count, len(headers))
        if fd >= 0:
            count = receive(headers, places.words(where, places.RECEIVER), fd, count)
        totals[DATAGRAMS] = count
    totals[CALLS] += 1
    totals[DEPARTED], totals[LEFT] = 0, SOMETHING
    row = take(where, first, totals[DATAGRAMS], int(unix_now * 1e6), now)
    if totals[PACKETS]:
        relay(where, int(unix_now * (1 << _SEND_TIME_SHIFT)) & 0xFFFFFF, level, now)
        if onward and not first and row == totals[DATAGRAMS] and _all_plain(where, totals[RECORDS]):
            totals[DEPARTED] = depart(where, onward & GATHER != 0, onward & CUT != 0)
            if totals[DEPARTED] and places.words(where, places.OUTCOME)[UNFINISHED] >= 0:
                return row
    if onward and not first and row == totals[DATAGRAMS] and not totals[RECORDS]:
        totals[LEFT] = _left(where)
    return row
