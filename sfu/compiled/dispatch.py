"""The way out in one call: write the copies of a lane, and send its arena."""

from sfu.compiled import places
from sfu.compiled.arrays import Words
from sfu.compiled.copies import expand
from sfu.compiled.jit import compiled
from sfu.compiled.messages import transmit
from sfu.compiled.outgoing import COPIES, PEER_COLUMNS, ROW_COLUMNS


@compiled
def dispatch(where: Words, row: int, port: int, fd: int, gso: bool, words: Words) -> int:
    """Write all copies of a lane as :func:`expand` does, beginning with ``row``, then send what is in the arena.

    ``port``, ``fd``, ``gso``, ``words``: see :func:`transmit`. Returns how many copies could not be encrypted.
    """
    count = row + places.words(where, places.LANE)[COPIES]
    unusual = expand(where, row)
    rows = places.halves2(where, places.ARENA_ROWS, ROW_COLUMNS)
    memory, peers = places.octets(where, places.ARENA), places.words2(where, places.PEERS, PEER_COLUMNS)
    transmit(rows, 0, count, memory, peers, port, fd, gso, words)
    return unusual
