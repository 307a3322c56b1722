"""When each transport-wide numbered packet arrived, until feedback tells the sender.

Wire form: draft-holmer-rmcat-transport-wide-cc-extensions-01.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from math import inf
from typing import NamedTuple

from sfu.compiled.feedback import BUSY_PACKETS, FIRST_CYCLE, MAX_GAP

MAX_INTERVAL_S = 0.100
"""Between feedbacks while packets come ..."""
MIN_INTERVAL_S = 0.050
"""... and after one about BUSY_PACKETS so long only."""
LIMIT = 2000
"""Arrivals kept; more before feedback is taken are not reported."""
MAX_REPEAT = 256
"""Numbers that one late packet may cause to be reported again; later ones stay lost."""
WINDOW_US = 500_000
"""Reported arrivals are kept so long, to be repeated around a packet that came late."""
MAX_REPORTS = 16
"""Reports kept at most, whatever the clock does."""


class Report(NamedTuple):
    """What one feedback is to tell, in order."""

    sequences: Sequence[int]
    """Extended numbers; a ``range`` where none is missing."""
    arrivals_us: Sequence[int]


_NOTHING = Report((), ())


class ArrivalLog:
    """Arrivals on one transport, all its streams together.

    Noting one that follows the one before is an append; what anything else means is worked out when feedback is taken.
    """

    __slots__ = (
        "_arrivals_us",
        "_highest",
        "_interval_s",
        "_next",
        "_reported",
        "_reports",
        "_runs",
        "_taken_at",
        "_told_before",
        "duplicates",
        "fb_count",
        "restarts",
    )

    def __init__(
        self, highest: int = -1, fb_count: int = 0, told: Callable[[], Iterable[Report]] = tuple
    ) -> None:
        """``highest`` is the extended number that an earlier log had come to, ``told`` what it reported lately."""
        self.fb_count = fb_count
        """Number of the next feedback message, modulo 256."""
        self.duplicates = 0
        self.restarts = 0
        # An array, because objects that lie about until they are cold are slow to use and to let go of.
        self._arrivals_us = array("q")  # in the order in which they came
        self._runs: list[tuple[int, int]] = []  # from this arrival on numbers count up from here, in 16 bits
        self._next = -1  # the number that would go on with the run
        self._highest = highest
        self._told_before = told
        self._reported = highest + 1  # everything below was in some feedback, or lost
        self._reports: list[Report] = []  # the last ones taken
        self._taken_at = self._interval_s = 0.0

    def record(self, seq16: int, arrival_us: int) -> None:
        """Note one packet. ``arrival_us`` is when its batch was read, on one steady clock."""
        arrivals_us = self._arrivals_us
        count = len(arrivals_us)
        if count >= LIMIT:
            return
        if seq16 != self._next:
            self._runs.append((count, seq16))
        self._next = (seq16 + 1) & 0xFFFF
        arrivals_us.append(arrival_us)

    def record_run(self, seq16: int, arrivals_us: Sequence[int]) -> None:
        """Note packets whose numbers count up from this one."""
        count = len(self._arrivals_us)
        self._runs.append((count, seq16))
        self._arrivals_us.extend(arrivals_us[: LIMIT - count])
        self._next = (seq16 + len(arrivals_us)) & 0xFFFF

    def due(self, now: float) -> bool:
        """Whether feedback should be sent now."""
        return now >= self.due_at

    @property
    def highest(self) -> int:
        """The highest extended number so far, -1 without any."""
        return self._highest

    @property
    def due_at(self) -> float:
        """When feedback is due, however much comes until then; infinity while there is nothing to say."""
        return self._taken_at + self._interval_s if self._arrivals_us else inf

    def take(self, now: float) -> tuple[Report, int]:
        """What to report, and its fb_count.

        A late packet pulls the start back, and then what was already reported after it is repeated: leaving
        it out would call it lost. If the report needs more than one message, :meth:`skip` the further numbers
        used. None of what came may be worth telling: then the report is empty.
        """
        runs, arrivals_us = self._runs, self._arrivals_us
        self._taken_at = now
        self._interval_s = MIN_INTERVAL_S if len(arrivals_us) >= BUSY_PACKETS else MAX_INTERVAL_S
        fb_count = self.fb_count
        if not arrivals_us:
            return _NOTHING, fb_count
        self._runs, self._arrivals_us = [], array("q")
        self._next = -1
        report = self._follow(runs, arrivals_us) or self._sort_out(_sequences(runs, arrivals_us), arrivals_us)
        if report.sequences:
            self._reported = report.sequences[-1] + 1
            self._keep(report)
            self.skip(1)
        return report, fb_count

    def skip(self, messages: int) -> None:
        """Count further messages that the last feedback was split into."""
        self.fb_count = (self.fb_count + messages) & 0xFF

    def _follow(self, runs: Sequence[tuple[int, int]], arrivals_us: "array[int]") -> Report | None:
        """The usual case: each follows the one before, none missing, none late. None where that isn't so."""
        highest, total = self._highest, len(arrivals_us)
        ahead = (runs[0][1] - highest) & 0xFFFF
        if len(runs) > 1 or highest < 0 or not 0 < ahead <= MAX_GAP:
            return None
        start = highest + ahead
        self._highest = start + total - 1
        return Report(range(start, start + total), arrivals_us)

    def _sort_out(self, sequences: Iterable[int], arrivals_us: "array[int]") -> Report:
        """The general case: losses, disorder, duplicates, wraps and jumps."""
        told: dict[int, int] | None = None  # by the last reports, where that matters
        new: dict[int, int] = {}
        for seq16, arrival_us in zip(sequences, arrivals_us, strict=True):
            highest = self._highest
            delta = ((seq16 - highest + 0x8000) & 0xFFFF) - 0x8000
            if highest < 0 or not -MAX_GAP <= delta <= MAX_GAP:
                ext_seq = self._restart(seq16)
                told = {}
                new.clear()
            else:
                ext_seq = highest + delta
                if delta > 0:
                    self._highest = ext_seq
            if ext_seq < self._reported and told is None:
                told = self._told()
            if ext_seq in new or (told and ext_seq in told):
                self.duplicates += 1  # a resent packet must not look as if it had been slow
            elif ext_seq >= self._reported - MAX_REPEAT:
                new[ext_seq] = arrival_us
        if not new:
            return _NOTHING
        start = min(new)
        if start < self._reported:
            before = {**(told or {}), **new}
            new = {ext_seq: at_us for ext_seq, at_us in before.items() if ext_seq >= start}
            self._reports = [_report({s: at_us for s, at_us in before.items() if s < start})]
            self._told_before = tuple
        return _report(new)

    def _told(self) -> dict[int, int]:
        reports = chain(self._told_before(), self._reports)
        return {ext_seq: at_us for report in reports for ext_seq, at_us in zip(*report, strict=True)}

    def _restart(self, seq16: int) -> int:
        if self._highest >= 0:
            self.restarts += 1
            ext_seq = self._highest + ((seq16 - self._highest) & 0xFFFF)
        else:
            ext_seq = FIRST_CYCLE + seq16
        self._highest = self._reported = ext_seq
        self._reports.clear()
        self._told_before = tuple
        return ext_seq

    def _keep(self, report: Report) -> None:
        """Remember what is told now, and forget what is older than the window."""
        reports = self._reports
        reports.append(report)
        before_us = report.arrivals_us[-1] - WINDOW_US
        while len(reports) > MAX_REPORTS or not reports[0][1] or reports[0][1][-1] < before_us:
            del reports[0]


def _sequences(runs: Sequence[tuple[int, int]], arrivals_us: "array[int]") -> Iterator[int]:
    """The 16-bit number of each arrival."""
    ends = [at for at, _ in runs[1:]]
    for (at, first), end in zip(runs, [*ends, len(arrivals_us)], strict=True):
        for number in range(first, first + end - at):
            yield number & 0xFFFF


def _report(arrivals: dict[int, int]) -> Report:
    sequences = sorted(arrivals)
    return Report(sequences, array("q", [arrivals[ext_seq] for ext_seq in sequences]))
