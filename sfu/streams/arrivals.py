"""What came on the transports of an engine, transport-wide numbered, and what they were told of it lately."""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sfu.net.arrays import Int64s
from sfu.rtp.twcc_columns import Reports
from sfu.streams.feedback import WINDOW_US, Report

LIMIT = 1 << 16
"""Arrivals kept by a phase; there are so many only after a long stall."""
MAX_TOLD = 64
"""Turns that are remembered at most."""


class Told(NamedTuple):
    """What one turn has told by column."""

    rows: list[int]
    reports: Reports

    def of(self, row: int) -> Report | None:
        place = bisect_left(self.rows, row)
        if place == len(self.rows) or self.rows[place] != row:
            return None
        start, stop = self.reports.bounds[place : place + 2].tolist()
        sequences, arrivals_us = (column[start:stop].tolist() for column in self.reports[1:])
        return Report(sequences, arrivals_us)

    def forget(self, row: int) -> None:
        place = bisect_left(self.rows, row)
        if place < len(self.rows) and self.rows[place] == row:
            self.rows[place] = self.rows[place - 1] if place else -1  # still in order, and never found


class ToldSingly(NamedTuple):
    """What one turn has told transport by transport."""

    reports: dict[int, Report]

    def of(self, row: int) -> Report | None:
        return self.reports.get(row)

    def forget(self, row: int) -> None:
        self.reports.pop(row, None)


class Arrivals:
    """Of the transports of one phase: what came, and what was told lately."""

    __slots__ = ("arrivals_us", "keys", "told")

    def __init__(self) -> None:
        self.keys = array("q")
        """Row of the transport in the bits above the 16-bit number, in the order of arrival."""
        self.arrivals_us = array("q")
        self.told: deque[tuple[float, Told | ToldSingly]] = deque(maxlen=2 * MAX_TOLD)

    def record(self, key: int, arrival_us: int) -> None:
        """Note one packet, and the Unix time at which it came."""
        self.keys.append(key)
        self.arrivals_us.append(arrival_us)

    def take(self) -> tuple[Int64s, Int64s]:
        """Everything, oldest first."""
        keys = np.array(self.keys[:LIMIT], np.int64)
        arrivals_us = np.array(self.arrivals_us[:LIMIT], np.int64)
        del self.keys[:], self.arrivals_us[:]
        return keys, arrivals_us

    def put_back(self, keys: Int64s, arrivals_us: Int64s) -> None:
        """Note many packets, or keep some of what was taken for another turn."""
        self.keys.frombytes(keys.tobytes())
        self.arrivals_us.frombytes(arrivals_us.tobytes())

    def told_to(self, row: int) -> Iterator[Report]:
        return (report for _, told in self.told if (report := told.of(row)) is not None)

    def tell(self, now: float, told: Told | ToldSingly) -> None:
        self.told.append((now, told))
        while self.told[0][0] < now - WINDOW_US / 1e6:
            self.told.popleft()

    def forget(self, row: int) -> None:
        """The row will be another transport's."""
        keys, arrivals_us = self.take()
        others = keys >> 16 != row
        self.put_back(keys[others], arrivals_us[others])
        for _, told in self.told:
            told.forget(row)
