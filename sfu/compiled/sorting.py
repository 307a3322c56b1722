"""Ordering rows of numbers by the first of them, without allocating."""

from sfu.compiled.arrays import Halves, Halves2
from sfu.compiled.jit import compiled, part

_DIGITS = 256
_BITS = 8
_FEW = 24
"""Rows up to which insertion is faster than counting."""


@part
def _ordered(rows: Halves2, count: int) -> bool:
    index = 1
    while index < count and rows[index, 0] >= rows[index - 1, 0]:
        index += 1
    return index >= count


@part
def _move(source: Halves2, index: int, target: Halves2, to: int) -> None:
    target[to, 0], target[to, 1], target[to, 2] = source[index, 0], source[index, 1], source[index, 2]


@part
def _insert(rows: Halves2, count: int) -> None:
    for index in range(1, count):
        first, second, third = rows[index, 0], rows[index, 1], rows[index, 2]
        at = index
        while at and rows[at - 1, 0] > first:
            _move(rows, at - 1, rows, at)
            at -= 1
        rows[at, 0], rows[at, 1], rows[at, 2] = first, second, third


@part
def _distribute(rows: Halves2, spare: Halves2, counters: Halves, count: int, shift: int) -> None:
    """One round of radix sort: by eight bits of the key."""
    counters[:_DIGITS] = 0
    for index in range(count):
        counters[rows[index, 0] >> shift & 255] += 1
    at = 0
    for digit in range(_DIGITS):
        number = counters[digit]
        counters[digit] = at
        at += number
    for index in range(count):
        digit = rows[index, 0] >> shift & 255
        _move(rows, index, spare, counters[digit])
        counters[digit] += 1


@compiled
def order(rows: Halves2, count: int, spare: Halves) -> None:
    """Order the first ``count`` of three-column ``rows`` by their first column; equal ones keep their places.

    It must not be negative. ``spare``: :func:`spare_size`.
    """
    if _ordered(rows, count):
        return
    if count <= _FEW:
        _insert(rows, count)
        return
    largest = 0
    for index in range(count):
        largest = max(largest, rows[index, 0])
    counters, others = spare[:_DIGITS], spare[_DIGITS : _DIGITS + 3 * count].reshape(count, 3)
    shift = 0
    while largest >> shift:
        _distribute(rows, others, counters, count, shift)
        for index in range(count):
            _move(others, index, rows, index)
        shift += _BITS


def spare_size(rows: int) -> int:
    """Numbers needed to put so many rows in order."""
    return _DIGITS + 3 * rows
