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


_PRUNE_STEP = 100


class ArrivalLog:
    """Arrivals on one transport, all its streams together."""

    __slots__ = (
        "_arrivals",
        "_fresh",
        "_highest",
        "_prune_at",
        "_reported",
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
        self._highest = -1
        self._reported = 0  # everything below was in some feedback, or lost
        self._arrivals: dict[int, int] = {}  # reported and fresh
        self._fresh: list[tuple[int, int]] = []
        self._prune_at = _PRUNE_STEP
        self._taken_at = -MAX_INTERVAL_S

    def record(self, seq16: int, arrival_us: int) -> None:
        """Note one packet. ``arrival_us`` is when its batch was read, on one steady clock."""
        highest = self._highest
        delta = ((seq16 - highest + 0x8000) & 0xFFFF) - 0x8000
        if highest < 0 or not -MAX_GAP <= delta <= MAX_GAP:
            ext_seq = self._restart(seq16)
        else:
            ext_seq = highest + delta
            if delta > 0:
                self._highest = ext_seq
        if ext_seq in self._arrivals:  # a resent packet must not look as if it had been slow
            self.duplicates += 1
        elif len(self._fresh) < LIMIT and ext_seq >= self._reported - MAX_REPEAT:
            self._arrivals[ext_seq] = arrival_us
            self._fresh.append((ext_seq, arrival_us))

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

    def take(self, now: float) -> tuple[list[tuple[int, int]], int]:
        """What to report: (extended sequence, arrival µs) pairs in sequence order, and their fb_count.

        A late packet pulls the start back, and then what was already reported after it is repeated: leaving
        it out would call it lost. If the pairs need more than one message, :meth:`skip` the further numbers
        used.
        """
        pairs, self._fresh = sorted(self._fresh), []
        self._taken_at = now
        fb_count = self.fb_count
        if pairs:
            start = pairs[0][0]
            if start < self._reported:
                pairs = sorted(pair for pair in self._arrivals.items() if pair[0] >= start)
            self._reported = pairs[-1][0] + 1
            self.skip(1)
            if len(self._arrivals) >= self._prune_at:
                self._prune(pairs[-1][1] - WINDOW_US)
        return pairs, fb_count

    def skip(self, messages: int) -> None:
        """Count further messages that the last feedback was split into."""
        self.fb_count = (self.fb_count + messages) & 0xFF

    def _restart(self, seq16: int) -> int:
        if self._highest >= 0:
            self.restarts += 1
            ext_seq = self._highest + ((seq16 - self._highest) & 0xFFFF)
        else:
            ext_seq = (1 << 16) + seq16
        self._highest = self._reported = ext_seq
        self._arrivals.clear()
        self._fresh.clear()
        return ext_seq

    def _prune(self, before_us: int) -> None:
        kept = {ext_seq: at_us for ext_seq, at_us in self._arrivals.items() if at_us >= before_us}
        if len(kept) > LIMIT:
            kept = dict(sorted(kept.items())[-LIMIT:])
        self._arrivals = kept
        self._prune_at = 2 * len(kept) + _PRUNE_STEP
