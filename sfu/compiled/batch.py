"""A batch of datagrams in one call: receive it, take it in, and let go on what is plain."""

from sfu.compiled import places
from sfu.compiled.arrays import Words
from sfu.compiled.intake import CALLS, DATAGRAMS, PACKETS, receive, take
from sfu.compiled.jit import compiled
from sfu.compiled.messages import HEADER_WORDS
from sfu.compiled.relay import relay

_SEND_TIME_SHIFT = 18
"""Of abs-send-time: 24 bits, the lower ones of them parts of a second."""


@compiled
def batch(where: Words, fd: int, first: int, count: int, level: int, now: float, unix_now: float) -> int:
    """Take a batch, from row ``first`` on; returns the row to go on with, and says the rest in totals.

    ``where`` is the list of places. At the first row of it as many as ``count`` datagrams are received from ``fd``,
    unless that is -1: then so many are there. ``level`` is that of overload, ``unix_now`` the same time as ``now``.
    """
    totals = places.words(where, places.TOTALS)
    if not first:
        headers = places.words2(where, places.HEADERS, HEADER_WORDS)
        count = min(count, len(headers))
        if fd >= 0:
            count = receive(headers, places.words(where, places.RECEIVER), fd, count)
        totals[DATAGRAMS] = count
    totals[CALLS] += 1
    row = take(where, first, totals[DATAGRAMS], int(unix_now * 1e6), now)
    if totals[PACKETS]:
        relay(where, int(unix_now * (1 << _SEND_TIME_SHIFT)) & 0xFFFFFF, level, now)
    return row
