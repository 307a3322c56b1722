"""What came on the transports of an engine, transport-wide numbered, and what they were told of it lately."""

from collections import deque
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from sfu.compiled.feedback import AT_US, GENERAL, NUMBER
from sfu.compiled.intake import ARRIVALS, CAME_US, KEY, PHASES
from sfu.net.arrays import Int64s
from sfu.streams.feedback import WINDOW_US, Report

LIMIT = ARRIVALS
MAX_TOLD = 64
"""Turns that are remembered at most."""


class Told:
    """What one turn has told by compiled loops: ``told`` and ``arrivals`` as in :mod:`sfu.compiled.feedback`."""

    def __init__(self, told: Int64s, arrivals: Int64s) -> None:
        self._told = told
        self._arrivals = arrivals

    @cached_property
    def _spans(self) -> dict[int, tuple[int, int]]:
        """Where in the arrivals those of a row begin and end. Mostly nobody asks."""
        return {row: (start, stop) for row, start, stop, kind in self._told.tolist() if kind != GENERAL}

    def of(self, row: int) -> Report | None:
        span = self._spans.get(row)
        if span is None:
            return None
        arrivals = self._arrivals[slice(*span)]
        return Report(arrivals[:, NUMBER].tolist(), arrivals[:, AT_US].tolist())

    def forget(self, row: int) -> None:
        self._spans.pop(row, None)


class ToldSingly(NamedTuple):
    """What one turn has told transport by transport."""

    reports: dict[int, Report]

    def of(self, row: int) -> Report | None:
        return self.reports.get(row)

    def forget(self, row: int) -> None:
        self.reports.pop(row, None)


class ArrivalLogs:
    """What came, for all phases, where compiled loops note it."""

    __slots__ = ("log", "noted")

    def __init__(self) -> None:
        self.log: Int64s = np.zeros((PHASES, LIMIT, 2), np.int64)
        """By phase, in the order of arrival: KEY and CAME_US."""
        self.noted: Int64s = np.zeros(PHASES, np.int64)
        """How many of them."""


class Arrivals:
    """Of the transports of one phase: what came, and what was told lately."""

    __slots__ = ("_entry", "_log", "_noted", "_phase", "told")

    def __init__(self, logs: ArrivalLogs | None = None, phase: int = 0) -> None:
        """Without ``logs`` it has some of its own."""
        logs = ArrivalLogs() if logs is None else logs
        self._log = logs.log[phase]
        self._entry: Any = self._log.data
        self._noted: Any = logs.noted.data
        self._phase = phase
        self.told: deque[tuple[float, Told | ToldSingly]] = deque(maxlen=2 * MAX_TOLD)

    def __len__(self) -> int:
        count: int = self._noted[self._phase]
        return count

    def record(self, key: int, arrival_us: int) -> None:
        """Note one packet, and the Unix time at which it came; not if there are LIMIT."""
        count = self._noted[self._phase]
        if count < LIMIT:
            self._entry[count, KEY] = key
            self._entry[count, CAME_US] = arrival_us
            self._noted[self._phase] = count + 1

    def take(self) -> tuple[Int64s, Int64s]:
        """Everything, oldest first."""
        log = self._log[: len(self)]
        self._noted[self._phase] = 0
        return log[:, KEY].copy(), log[:, CAME_US].copy()

    def put_back(self, keys: Int64s, arrivals_us: Int64s) -> None:
        """Keep some of what was just taken for another turn."""
        count = len(self)
        log = self._log[count : count + len(keys)]
        log[:, KEY] = keys[: len(log)]
        log[:, CAME_US] = arrivals_us[: len(log)]
        self._noted[self._phase] = count + len(log)

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
