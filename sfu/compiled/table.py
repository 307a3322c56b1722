"""Hash tables in arrays: a row number for each of some thousand keys of four words.

A row of the array is a slot: the key, and the number, -1 in a free slot. Slots are searched one after the other from
where the key's hash points to. The last row holds the seed of the hash, so that peers, who choose parts of the keys,
can't choose where they go, and how many keys there are. At least half of the slots must be free; whoever keeps a table
sees to that. Rows may have further words, which belong to whoever keeps the table.
"""

from numba import int64

from sfu.compiled.arrays import Words2
from sfu.compiled.jit import compiled, part

KEY_WORDS = 4
VALUE = KEY_WORDS
WORDS = KEY_WORDS + 1
MISSING = -1
SEED, COUNT = range(2)
"""Of the last row."""

_MIX = 0x2545F4914F6CDD1D


@part
def _start(table: Words2, a: int, b: int, c: int, d: int) -> int:
    """The slot to begin with."""
    mixed = int64(table[-1, SEED])
    for word in (int64(a), int64(b), int64(c), int64(d)):
        mixed = (mixed ^ word) * int64(_MIX)
        mixed ^= (mixed >> 32) & int64(0xFFFFFFFF)
    return mixed & (len(table) - 2)


@part
def slot_of(table: Words2, a: int, b: int, c: int, d: int) -> int:
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
    return table[slot_of(table, a, b, c, d), VALUE]


@compiled
def put(table: Words2, a: int, b: int, c: int, d: int, value: int) -> None:
    """Set the number of a key, known or not."""
    at = slot_of(table, a, b, c, d)
    table[-1, COUNT] += table[at, VALUE] == MISSING
    table[at, 0], table[at, 1], table[at, 2], table[at, 3], table[at, VALUE] = a, b, c, d, value


@compiled
def drop(table: Words2, a: int, b: int, c: int, d: int) -> None:
    """Forget a key, known or not."""
    last = len(table) - 2
    hole = slot_of(table, a, b, c, d)
    if table[hole, VALUE] == MISSING:
        return
    table[-1, COUNT] -= 1
    table[hole, VALUE] = MISSING
    at = (hole + 1) & last
    while table[at, VALUE] != MISSING:  # what was pushed on past the hole moves into it
        home = _start(table, table[at, 0], table[at, 1], table[at, 2], table[at, 3])
        if ((at - home) & last) >= ((at - hole) & last):
            table[hole] = table[at]
            table[at, VALUE] = MISSING
            hole = at
        at = (at + 1) & last


@compiled
def move(source: Words2, target: Words2) -> None:
    """Put all rows of a table into another one."""
    for at in range(len(source) - 1):
        if source[at, VALUE] != MISSING:
            slot = slot_of(target, source[at, 0], source[at, 1], source[at, 2], source[at, 3])
            target[slot] = source[at]
            target[-1, COUNT] += 1
