"""When each transport-wide numbered packet arrived, until feedback tells the sender.

Wire form: draft-holmer-rmcat-transport-wide-cc-extensions-01.
"""

from math import inf

MIN_INTERVAL_S = 0.050
"""Between feedbacks when there is something to say ..."""
BUSY_PACKETS = 20
"""... that is, so many packets."""
MAX_INTERVAL_S = 0.100
"""Between feedbacks otherwise, while packets come."""
LIMIT = 2000
"""Arrivals kept; more before feedback is taken are not reported."""
MAX_GAP = 2048
"""A longer step of the numbers, either way, starts the log afresh: no network loses that much in a row."""
MAX_REPEAT = 256
"""Numbers that one late packet may cause to be reported again; later ones stay lost."""
WINDOW_US = 500_000
"""Reported arrivals are kept so long, to be repeated around a packet that came late."""
MAX_REPORTS = 16
"""Reports kept at most, whatever the clock does."""

Arrival = tuple[int, int]
"""Extended sequence number, and when in microseconds."""


class ArrivalLog:
    """Arrivals on one transport, all its streams together.

    Noting one is an append; what it means is worked out when feedback is taken.
    """

    __slots__ = (
        "_fresh",
        "_highest",
        "_reported",
        "_reports",
        "_taken_at",
        "duplicates",
        "fb_count",
        "restarts",
    )

    def __init__(self) -> None:
        self.fb_count = 0
        """Number of the next feedback message, modulo 256."""
        self.duplicates = 0
        self.restarts = 0
        self._fresh: list[Arrival] = []  # as they came, with 16-bit numbers
        self._highest = -1
        self._reported = 0  # everything below was in some feedback, or lost
        self._reports: list[list[Arrival]] = []  # the last ones taken, in order
        self._taken_at = -MAX_INTERVAL_S

    def record(self, seq16: int, arrival_us: int) -> None:
        """Note one packet. ``arrival_us`` is when its batch was read, on one steady clock."""
        fresh = self._fresh
        if len(fresh) < LIMIT:
            fresh.append((seq16, arrival_us))

    @property
    def look_at(self) -> float:
        """When feedback may be due at the earliest, however much comes until then."""
        return self._taken_at + MIN_INTERVAL_S

    def due(self, now: float) -> bool:
        """Whether feedback should be sent now."""
        return now >= self.due_at

    @property
    def due_at(self) -> float:
        """When feedback is due, as things stand; infinity while there is nothing to say."""
        if not self._fresh:
            return inf
        return self._taken_at + (MIN_INTERVAL_S if len(self._fresh) >= BUSY_PACKETS else MAX_INTERVAL_S)

    def take(self, now: float) -> tuple[list[Arrival], int]:
        """What to report: (extended sequence, arrival µs) pairs in sequence order, and their fb_count.

        A late packet pulls the start back, and then what was already reported after it is repeated: leaving
        it out would call it lost. If the pairs need more than one message, :meth:`skip` the further numbers
        used. None of what came may be worth telling: then there are no pairs.
        """
        fresh, self._fresh = self._fresh, []
        self._taken_at = now
        fb_count = self.fb_count
        if not fresh:
            return [], fb_count
        pairs = self._follow(fresh) or self._sort_out(fresh)
        if pairs:
            self._reported = pairs[-1][0] + 1
            self.skip(1)
        return pairs, fb_count

    def skip(self, messages: int) -> None:
        """Count further messages that the last feedback was split into."""
        self.fb_count = (self.fb_count + messages) & 0xFF

    def _follow(self, fresh: list[Arrival]) -> list[Arrival] | None:
        """The usual case: each follows the one before, none missing, none late. None where that isn't so."""
        first, total = fresh[0][0], len(fresh)
        highest = self._highest
        ahead = (first - highest) & 0xFFFF
        if highest < 0 or not 0 < ahead <= MAX_GAP or fresh[-1][0] != first + total - 1:
            return None
        sequences, times = zip(*fresh, strict=True)
        if sequences != tuple(range(first, first + total)):
            return None
        start = highest + ahead
        self._highest = start + total - 1
        pairs = list(zip(range(start, start + total), times, strict=True))
        self._keep(pairs)
        return pairs

    def _sort_out(self, fresh: list[Arrival]) -> list[Arrival]:
        """The general case: losses, disorder, duplicates, wraps and jumps."""
        known: dict[int, int] | None = None  # what was told, where that matters
        new: dict[int, int] = {}
        for seq16, arrival_us in fresh:
            highest = self._highest
            delta = ((seq16 - highest + 0x8000) & 0xFFFF) - 0x8000
            if highest < 0 or not -MAX_GAP <= delta <= MAX_GAP:
                ext_seq = self._restart(seq16)
                known = {}
                new.clear()
            else:
                ext_seq = highest + delta
                if delta > 0:
                    self._highest = ext_seq
            if ext_seq < self._reported and known is None:
                known = dict(pair for report in self._reports for pair in report)
            if ext_seq in new or (known and ext_seq in known):
                self.duplicates += 1  # a resent packet must not look as if it had been slow
            elif ext_seq >= self._reported - MAX_REPEAT:
                new[ext_seq] = arrival_us
        pairs = sorted(new.items())
        if not pairs:
            return pairs
        start = pairs[0][0]
        if start < self._reported:
            told = sorted({**(known or {}), **new}.items())
            pairs = [pair for pair in told if pair[0] >= start]
            self._reports = [[pair for pair in told if pair[0] < start]]
        self._keep(pairs)
        return pairs

    def _restart(self, seq16: int) -> int:
        if self._highest >= 0:
            self.restarts += 1
            ext_seq = self._highest + ((seq16 - self._highest) & 0xFFFF)
        else:
            ext_seq = (1 << 16) + seq16
        self._highest = self._reported = ext_seq
        self._reports.clear()
        return ext_seq

    def _keep(self, pairs: list[Arrival]) -> None:
        """Remember what is told now, and forget what is older than the window."""
        reports = self._reports
        reports.append(pairs)
        before_us = pairs[-1][1] - WINDOW_US
        while len(reports) > MAX_REPORTS or not reports[0] or reports[0][-1][1] < before_us:
            del reports[0]
