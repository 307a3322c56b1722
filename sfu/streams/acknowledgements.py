"""Transport-wide feedback to all publishers of an engine.

Arrivals go into one log for each of a few phases, which have their turns one after the other. In its turn a phase tells
all its transports at once, by column, what came in order; few transports, and what is out of order, go through an
:class:`ArrivalLog` each. Both ways come to the same (a test compares them).
"""

from array import array
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from sfu.net.arrays import Bools, Float64s, Int64s
from sfu.net.outbox import Outbox
from sfu.rtp import twcc, twcc_columns
from sfu.rtp.twcc_columns import Addressing, Reports
from sfu.streams.feedback import (
    BUSY_PACKETS,
    FIRST_CYCLE,
    MAX_GAP,
    MAX_INTERVAL_S,
    MIN_INTERVAL_S,
    WINDOW_US,
    ArrivalLog,
    Report,
)

PHASES = 5
PHASE_S = 0.010
"""Between turns: each phase has one in MIN_INTERVAL_S, and no turn is longer than a fifth of the transports takes."""
SLOW_INTERVAL_S = 0.250
"""Between feedbacks to who sends no video. libwebrtc keeps feedback to 5 % of the bit rate: 250 ms below 44 kbit/s."""
MOST = 128
"""Transports told in one turn; those who were told last wait for the next."""
FEW = 160
"""Arrivals up to which a turn is faster transport by transport."""
LIMIT = 1 << 16
"""Arrivals kept by a phase; there are so many only after a long stall."""
MAX_TOLD = 64
"""Turns that are remembered at most."""

_SEQUENCE = 0xFFFF
_INTERVALS_S = np.array([[SLOW_INTERVAL_S, SLOW_INTERVAL_S], [MAX_INTERVAL_S, MIN_INTERVAL_S]])
"""Without and with video, few packets and many."""


class _Told(NamedTuple):
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


class _ToldSingly(NamedTuple):
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
        self.told: deque[tuple[float, _Told | _ToldSingly]] = deque(maxlen=2 * MAX_TOLD)

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
        """Keep some of what was taken for another turn."""
        self.keys.frombytes(keys.tobytes())
        self.arrivals_us.frombytes(arrivals_us.tobytes())

    def told_to(self, row: int) -> Iterator[Report]:
        return (report for _, told in self.told if (report := told.of(row)) is not None)

    def tell(self, now: float, told: _Told | _ToldSingly) -> None:
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


class Acknowledgements:
    """Who is told when what came, and that it is told. Rows are those of the peer table."""

    def __init__(self, outbox: Outbox, capacity: int = 64) -> None:
        self._outbox = outbox
        self._phases = [Arrivals() for _ in range(PHASES)]
        self._turns = 0
        self._highest: Int64s = np.full(capacity, -1, np.int64)
        """Extended number that feedback has come to."""
        self._counts: Int64s = np.zeros(capacity, np.int64)
        self._sender_ssrcs: Int64s = np.zeros(capacity, np.int64)
        self._media_ssrcs: Int64s = np.zeros(capacity, np.int64)
        self._video: Bools = np.zeros(capacity, np.bool_)
        self._due_at: Float64s = np.zeros(capacity, np.float64)

    def open(self, row: int, sender_ssrc: int) -> Arrivals:
        """Begin with a transport; returns what takes its arrivals."""
        while row >= len(self._highest):
            self._grow()
        self._highest[row] = -1
        self._counts[row] = self._media_ssrcs[row] = 0
        self._sender_ssrcs[row] = sender_ssrc
        self._video[row] = True
        self._due_at[row] = 0.0
        return self._phases[row % PHASES]

    def describe(self, row: int, media_ssrc: int, *, video: bool) -> None:
        """Note an SSRC that the client sends; it ignores feedback for others. And whether there is video among it."""
        self._media_ssrcs[row] = media_ssrc
        self._video[row] = video

    def close(self, row: int) -> None:
        """Forget a transport."""
        self._phases[row % PHASES].forget(row)

    def turn(self, now: float) -> None:
        """Tell the transports of the next phase what came, if that is due."""
        phase = self._phases[self._turns]
        self._turns = (self._turns + 1) % PHASES
        if len(phase.keys) > FEW:
            self._together(phase, now)
        elif phase.keys:
            self._singly(phase, now)

    def _singly(self, phase: Arrivals, now: float) -> None:
        came = defaultdict[int, tuple[list[int], list[int]]](lambda: ([], []))
        for key, arrival_us in zip(phase.keys, phase.arrivals_us, strict=True):
            keys, arrivals_us = came[key >> 16]
            keys.append(key)
            arrivals_us.append(arrival_us)
        del phase.keys[:], phase.arrivals_us[:]
        told = {}
        for row, (keys, arrivals_us) in came.items():
            if self._due_at[row] > now + PHASE_S / 2:
                phase.keys.extend(keys)
                phase.arrivals_us.extend(arrivals_us)
            else:
                told[row] = self._tell(phase, row, keys, arrivals_us, now)
        if told:
            phase.tell(now, _ToldSingly(told))

    def _tell(
        self, phase: Arrivals, row: int, keys: list[int], arrivals_us: Sequence[int], now: float
    ) -> Report:
        """Send one transport its feedback, whatever came."""
        log = ArrivalLog(int(self._highest[row]), int(self._counts[row]), partial(phase.told_to, row))
        first = keys[0]
        if keys == [*range(first, first + len(keys))]:
            log.record_run(first & _SEQUENCE, arrivals_us)
        else:
            for key, arrival_us in zip(keys, arrivals_us, strict=True):
                log.record(key & _SEQUENCE, arrival_us)
        report, fb_count = log.take(now)
        ssrcs = int(self._sender_ssrcs[row]), int(self._media_ssrcs[row])
        messages = twcc.build_report(*ssrcs, *report, fb_count)
        log.skip(len(messages) - 1)
        self._highest[row], self._counts[row] = log.highest, log.fb_count
        busy = len(arrivals_us) >= BUSY_PACKETS
        self._due_at[row] = now + _INTERVALS_S[int(self._video[row]), int(busy)]
        for message in messages:
            self._outbox.put(row, message)
        return report

    def _together(self, phase: Arrivals, now: float) -> None:
        keys, arrivals_us = phase.take()
        due = self._due_at[keys >> 16] <= now + PHASE_S / 2
        phase.put_back(keys[~due], arrivals_us[~due])
        order = np.argsort(keys[due] >> 16, kind="stable")
        if not len(order):
            return
        batch = _batch(keys[due][order], arrivals_us[due][order])
        if len(batch.rows) > MOST:
            first = np.zeros(len(batch.rows), np.bool_)
            first[np.argsort(self._due_at[batch.rows])[:MOST]] = True
            batch, rest = _split(batch, first)
            phase.put_back(rest.keys, rest.arrivals_us)
        highest = self._highest[batch.rows]
        reports, simple = _follow(batch, highest)
        if not simple.all():
            batch, odd = _split(batch, simple)
            bounds = odd.bounds.tolist()
            told = {
                row: self._tell(phase, row, odd.keys[a:b].tolist(), odd.arrivals_us[a:b].tolist(), now)
                for row, a, b in zip(odd.rows.tolist(), bounds, bounds[1:], strict=False)
            }
            phase.tell(now, _ToldSingly(told))
            if not len(batch.rows):
                return
            reports, _ = _follow(batch, self._highest[batch.rows])
        self._write(batch.rows, reports, now)
        phase.tell(now, _Told(batch.rows.tolist(), reports))

    def _write(self, rows: Int64s, reports: Reports, now: float) -> None:
        """Send many transports their feedback."""
        peers = rows.tolist()
        to = Addressing(self._sender_ssrcs[rows], self._media_ssrcs[rows], self._counts[rows])
        lengths = twcc_columns.write(self._outbox.rows(peers), reports, to)
        self._outbox.written(lengths.tolist())
        self._highest[rows] = reports.sequences[reports.bounds[1:] - 1]
        self._counts[rows] = to.counts + 1 & 0xFF
        busy = np.diff(reports.bounds) >= BUSY_PACKETS
        self._due_at[rows] = now + _INTERVALS_S[self._video[rows].astype(np.int64), busy.astype(np.int64)]

    def _grow(self) -> None:
        self._highest = np.concatenate([self._highest, np.full_like(self._highest, -1)])
        self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._sender_ssrcs = np.concatenate([self._sender_ssrcs, np.zeros_like(self._sender_ssrcs)])
        self._media_ssrcs = np.concatenate([self._media_ssrcs, np.zeros_like(self._media_ssrcs)])
        self._video = np.concatenate([self._video, np.zeros_like(self._video)])
        self._due_at = np.concatenate([self._due_at, np.zeros_like(self._due_at)])


class _Batch(NamedTuple):
    """Arrivals of several transports, one transport behind the other."""

    rows: Int64s
    bounds: Int64s
    keys: Int64s
    arrivals_us: Int64s


def _batch(keys: Int64s, arrivals_us: Int64s) -> _Batch:
    """The columns are in the order of rows."""
    rows = keys >> 16
    starts = np.flatnonzero(rows[1:] != rows[:-1]) + 1
    bounds = np.concatenate([[0], starts, [len(rows)]])
    return _Batch(rows[bounds[:-1]], bounds, keys, arrivals_us)


def _split(batch: _Batch, chosen: Bools) -> tuple[_Batch, _Batch]:
    """Those chosen, and the others."""
    each = np.repeat(chosen, np.diff(batch.bounds))
    return _some(batch, each), _some(batch, ~each)


def _some(batch: _Batch, each: Bools) -> _Batch:
    return _batch(batch.keys[each], batch.arrivals_us[each]) if each.any() else _NONE


def _follow(batch: _Batch, highest: Int64s) -> tuple[Reports, Bools]:
    """What there is to report if all goes on from the highest number, and for which transports that is so: none is
    late, none came twice, and the report is a short one.
    """
    starts = batch.bounds[:-1]
    highest = np.where(highest < 0, FIRST_CYCLE + (batch.keys[starts] & _SEQUENCE) - 1, highest)
    before = np.repeat(highest, np.diff(batch.bounds))
    ahead = (batch.keys - before) & _SEQUENCE
    rising = np.empty(len(ahead), np.bool_)
    np.greater(ahead[1:], ahead[:-1], out=rising[1:])
    rising[starts] = ahead[starts] > 0
    reports = Reports(batch.bounds, before + ahead, batch.arrivals_us)
    simple: Bools = np.logical_and.reduceat(rising, starts) & (ahead[batch.bounds[1:] - 1] <= MAX_GAP)
    simple &= twcc_columns.fitting(reports)
    return reports, simple


_EMPTY: Int64s = np.zeros(0, np.int64)
_NONE = _Batch(_EMPTY, np.zeros(1, np.int64), _EMPTY, _EMPTY)
