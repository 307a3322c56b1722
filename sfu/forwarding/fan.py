"""A fan-out: the rows of the down track table that one packet is copied for."""

from ctypes import c_int32
from typing import NamedTuple

import numpy as np

from sfu.net.arrays import Int32s


class Fan(NamedTuple):
    """Whoever gives away its address keeps it alive."""

    rows: Int32s
    """One for each destination, in the order of destinations."""
    address: int
    """Where in memory they are."""
    size: int


def fan_of(rows: Int32s) -> Fan:
    """A fan-out of contiguous rows."""
    return Fan(rows, rows.ctypes.data, len(rows))


def rows_at(address: int, size: int) -> Int32s:
    """The rows of a fan-out that somebody keeps alive."""
    return np.frombuffer(memoryview((c_int32 * size).from_address(address)), np.int32)
