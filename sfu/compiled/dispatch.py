"""The way out in one call: write the copies of a lane, and send its arena; or those of all lanes that don't wait."""

from numba import carray, int64

from sfu.compiled import places
from sfu.compiled.arrays import Words, Words2
from sfu.compiled.copies import expand, piece, write
from sfu.compiled.jit import compiled, part
from sfu.compiled.memory import copy, pointer
from sfu.compiled.messages import DATAGRAMS, MESSAGES, OCTETS, TAKEN, transmit
from sfu.compiled.outgoing import (
    ADDED,
    COPIES,
    COPY_COLUMNS,
    LANE_WORDS,
    LANES,
    MOST,
    PACKET_COLUMNS,
    PACKETS,
    PEER_COLUMNS,
    ROW_COLUMNS,
)
from sfu.compiled.srtp import STATE_WORDS
from sfu.compiled.table import COUNT

WAY_PORT, WAY_FD, WAY_GSO, WAY_COLUMNS = range(4)
"""A way out: the index of a UDP port, its file descriptor, and whether it does GSO."""

# What has become of copies, added up until somebody sets it to zero: datagrams that the kernel has taken, their octets,
# and system calls. The way to begin with. Of the last arena: its rows, those that could not be encrypted, those that
# are left, the way whose messages were not all taken, and so those behind it not tried (-1: all were), and the lane if
# anything of it is left (-1: nothing is).
GONE, GONE_OCTETS, GONE_CALLS, FIRST, ROWS, UNUSUAL, LEFT, STOPPED, UNFINISHED, OUTCOME_WORDS = range(10)

TOGETHER = 64
"""Copies that small and large packets may be in one arena with: more would make sound wait."""
_WORD_BYTES = 8


@part
def _send(where: Words, gso: bool, ways: Words2, words: Words, outcome: Words) -> None:
    """Send a lane's arena by all ways."""
    rows = places.halves2(where, places.ARENA_ROWS, ROW_COLUMNS)
    memory, peers = places.octets(where, places.ARENA), places.words2(where, places.PEERS, PEER_COLUMNS)
    count = outcome[ROWS]
    left = count - outcome[UNUSUAL]
    way = latest = outcome[FIRST]
    outcome[STOPPED] = -1
    for _ in range(len(ways)):
        if left <= 0:
            break
        cut = gso and ways[way, WAY_GSO] != 0
        transmit(rows, 0, count, memory, peers, ways[way, WAY_PORT], ways[way, WAY_FD], cut, words)
        if words[DATAGRAMS]:
            if words[TAKEN] != words[MESSAGES]:
                outcome[STOPPED] = way
                break
            outcome[GONE] += words[DATAGRAMS]
            outcome[GONE_OCTETS] += words[OCTETS]
            outcome[GONE_CALLS] += 1
            latest = way
            left -= words[DATAGRAMS]
        way = way + 1 if way + 1 < len(ways) else 0
    outcome[LEFT] = left
    if outcome[STOPPED] < 0:
        outcome[FIRST] = latest


@compiled
def dispatch(where: Words, gso: bool, ways: Words2, words: Words, outcome: Words) -> None:
    """Write all copies of a lane as :func:`expand` does, then send what is in the arena.

    ``where`` is the lane's list of places, ``words`` those of :func:`transmit`. ``outcome`` says how many rows there
    are, and how many of them could not be encrypted; then what became of all.
    """
    row = outcome[ROWS]
    outcome[ROWS] += places.words(where, places.LANE)[COPIES]
    outcome[UNUSUAL] += expand(where, row)
    _send(where, gso, ways, words, outcome)


@compiled
def dispatch_piece(
    where: Words, first: int, end: int, most: int, gso: bool, ways: Words2, words: Words, outcome: Words
) -> int:
    """Write some of the copies of a sealed lane, as :func:`piece` says, and send them; returns how many.

    Parameters as of :func:`dispatch`. The arena must be empty.
    """
    count = piece(where, first, end, most)
    outcome[ROWS] = count
    outcome[UNUSUAL] = write(where, first, count, 0)
    _send(where, gso, ways, words, outcome)
    return count


@compiled
def give(small: Words, large: Words) -> bool:
    """Leave what a lane has been given to one of larger packets, in front of what that has, if both have few copies.

    Few copies of small packets then go in the same system call. The packets' bytes stay where they are.
    """
    ours, theirs = small[ADDED], large[ADDED]
    if not ours or not theirs or small[COPIES] + large[COPIES] > TOGETHER or ours + theirs > large[MOST]:
        return False
    size = PACKET_COLUMNS * _WORD_BYTES
    for index in range(theirs - 1, -1, -1):
        copy(large[PACKETS] + (ours + index) * size, large[PACKETS] + index * size, size)
    copy(large[PACKETS], small[PACKETS], ours * size)
    large[ADDED] = ours + theirs
    large[COPIES] += small[COPIES]
    small[ADDED] = small[COPIES] = 0
    return True


@part
def _fits(where: Words, copies: int) -> bool:
    """Whether there is room for a lane's copies, and for their numbers if all were new."""
    windows = places.words2(where, places.WINDOWS, STATE_WORDS)
    return (
        copies <= len(places.halves2(where, places.ARENA_ROWS, ROW_COLUMNS))
        and copies <= len(places.halves2(where, places.COPIES, COPY_COLUMNS))
        and 2 * (windows[-1, COUNT] + copies) < len(windows)
    )


@compiled
def depart(where: Words, gather: bool, gso: bool) -> bool:
    """Dispatch all lanes of copies that don't wait, whose arenas are empty, as far as that is plain.

    Returns whether anything was written.

    ``where`` is the list of places of :func:`sfu.compiled.batch.batch`. ``gather``: try to :func:`give`. Lanes that
    have packets afterwards are left to the caller, and so is the rest of an unfinished one.
    """
    lanes, lists = places.words2(where, places.LANES, LANE_WORDS), places.words(where, places.LISTS)
    ways, words = places.words2(where, places.WAYS, WAY_COLUMNS), places.words(where, places.SENDER)
    outcome = places.words(where, places.OUTCOME)
    outcome[UNFINISHED] = -1
    written = False
    if gather:
        for number in range(LANES - 1):
            give(lanes[number], lanes[number + 1])
    for number in range(LANES):
        copies = lanes[number, COPIES]
        if not lanes[number, ADDED]:
            continue
        listed = carray(pointer(lists[number]), places.LANE + 1, int64)
        if not _fits(listed, copies):
            break
        written = True
        outcome[ROWS] = outcome[UNUSUAL] = 0
        dispatch(listed, gso, ways, words, outcome)
        if outcome[UNUSUAL] or outcome[LEFT]:
            outcome[UNFINISHED] = number
            break
    return written
