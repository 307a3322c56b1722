"""Hash tables in arrays: a row number for each of some thousand keys of four words.

A row of the array is a slot: the key, and the number, -1 in a free slot. Slots are searched one after the other from
where the key's hash points to. The last row holds the seed of the hash, so that peers, who choose parts of the keys,
can't choose where they go. At least half of the slots must be free; whoever keeps a table sees to that.
"""

from numba import int64

from sfu.compiled.arrays import Words2
from sfu.compiled.jit import compiled, part

KEY_WORDS = 4
VALUE = KEY_WORDS
WORDS = KEY_WORDS + 1
MISSING = -1

_MIX = 0x2545F4914F6CDD1D


@part
def _start(table: Words2, a: int, b: int, c: int, d: int) -> int:
    """The slot to begin with."""
    mixed = int64(table[-1, 0])
    for word in (a, b, c, d):
        mixed = (mixed ^ word) * int64(_MIX)
        mixed ^= (mixed >> 32) & int64(0xFFFFFFFF)
    return mixed & (len(table) - 2)


@part
def _slot(table: Words2, a: int, b: int, c: int, d: int) -> int:
    """The slot of a key, or the free one in which it would be."""
    last = len(table) - 2
    at = _start(table, a, b, c, d)
    while table[at, VALUE] != MISSING and not (
        table[at, 0] == a and table[at, 1] == b and table[at, 2] == c and table[at, 3] == d
    ):
        at = (at + 1) & last
    return at


@compiled
def find(table: Words2, a: int, b: int, c: int, d: int) -> int:
    """The number of a key; MISSING if it isn't there."""
    return table[_slot(table, a, b, c, d), VALUE]


@compiled
def put(table: Words2, a: int, b: int, c: int, d: int, value: int) -> bool:
    """Set the number of a key; whether the key is new."""
    at = _slot(table, a, b, c, d)
    new = table[at, VALUE] == MISSING
    table[at, 0], table[at, 1], table[at, 2], table[at, 3], table[at, VALUE] = a, b, c, d, value
    return new


@compiled
def drop(table: Words2, a: int, b: int, c: int, d: int) -> bool:
    """Forget a key; whether it was there."""
    last = len(table) - 2
    hole = _slot(table, a, b, c, d)
    if table[hole, VALUE] == MISSING:
        return False
    table[hole, VALUE] = MISSING
    at = (hole + 1) & last
    while table[at, VALUE] != MISSING:  # what was pushed on past the hole moves into it
        home = _start(table, table[at, 0], table[at, 1], table[at, 2], table[at, 3])
        if ((at - home) & last) >= ((at - hole) & last):
            table[hole] = table[at]
            table[at, VALUE] = MISSING
            hole = at
        at = (at + 1) & last
    return True
