"""Transport-wide feedback to all publishers of an engine.

Arrivals go into one log for each of a few phases, which have their turns one after the other. In its turn a phase tells
all its transports at once, by column, what came in order; few transports, and what is out of order, go through an
:class:`ArrivalLog` each. Both ways come to the same (a test compares them).
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from math import inf
from typing import NamedTuple

import numpy as np

from sfu.compiled.intake import PHASES
from sfu.net.arrays import Bools, Int64s, grown
from sfu.net.outbox import Outbox
from sfu.rtp import twcc, twcc_columns
from sfu.rtp.twcc_columns import Addressing, Reports
from sfu.streams.arrivals import ArrivalLogs, Arrivals, Told, ToldSingly
from sfu.streams.feedback import (
    BUSY_PACKETS,
    FIRST_CYCLE,
    MAX_GAP,
    MAX_INTERVAL_S,
    MIN_INTERVAL_S,
    ArrivalLog,
    Report,
)

PHASE_S = 0.010
"""Between turns of the PHASES: each has one in MIN_INTERVAL_S, of a fifth of the transports."""
CATCH_UP = 3
"""Turns at most in one round; after a long one the rest comes later, so that it isn't followed by another."""
SLOW_INTERVAL_S = 0.250
"""Between feedbacks to who sends no video. libwebrtc keeps feedback to 5 % of the bit rate: 250 ms below 44 kbit/s."""
MOST = 128
"""Transports told in one turn; those who were told last wait for the next."""
FEW = 160
"""Arrivals up to which a turn is faster transport by transport."""

_SEQUENCE = 0xFFFF
_ROUNDING_S = 1e-6
_INTERVALS_S = np.array([[SLOW_INTERVAL_S, SLOW_INTERVAL_S], [MAX_INTERVAL_S, MIN_INTERVAL_S]])
"""Without and with video, few packets and many."""
_WAITS: Int64s = (_INTERVALS_S / PHASE_S).round().astype(np.int64)
"""The same in turns."""


class Acknowledgements:
    """Who is told when what came, and that it is told. Rows are those of the peer table."""

    def __init__(self, outbox: Outbox, capacity: int = 64) -> None:
        self._outbox = outbox
        self.logs = ArrivalLogs()
        self._phases = [Arrivals(self.logs, phase) for phase in range(PHASES)]
        self._turns = 0
        """Of all phases together."""
        self._turned_at = -inf
        self._highest: Int64s = np.full(capacity, -1, np.int64)
        """Extended number that feedback has come to."""
        self._counts: Int64s = np.zeros(capacity, np.int64)
        self._sender_ssrcs: Int64s = np.zeros(capacity, np.int64)
        self._media_ssrcs: Int64s = np.zeros(capacity, np.int64)
        self._video: Bools = np.zeros(capacity, np.bool_)
        self._due: Int64s = np.zeros(capacity, np.int64)
        """The turn to be told in, if anything has come."""

    def open(self, row: int, sender_ssrc: int) -> Arrivals:
        """Begin with a transport; returns what takes its arrivals."""
        while row >= len(self._highest):
            self._grow()
        self._highest[row] = -1
        self._counts[row] = self._media_ssrcs[row] = 0
        self._sender_ssrcs[row] = sender_ssrc
        self._video[row] = True
        self._due[row] = 0
        return self._phases[row % PHASES]

    def describe(self, row: int, media_ssrc: int, *, video: bool) -> None:
        """Note an SSRC that the client sends; it ignores feedback for others. And whether there is video among it."""
        self._media_ssrcs[row] = media_ssrc
        self._video[row] = video

    def close(self, row: int) -> None:
        """Forget a transport."""
        self._phases[row % PHASES].forget(row)

    def turn(self, now: float) -> bool:
        """Tell the transports of the next phase what came, where that is due; False if it is not the time for that.

        After a long round more than one phase has its turn: to be called again until there is no more.
        """
        if now - self._turned_at <= PHASE_S - _ROUNDING_S:
            return False
        self._turned_at = max(self._turned_at + PHASE_S, now - (CATCH_UP - 1) * PHASE_S)
        self._turns += 1
        phase = self._phases[self._turns % PHASES]
        if len(phase) > FEW:
            self._together(phase, now)
        elif len(phase):
            self._singly(phase, now)
        return True

    def _singly(self, phase: Arrivals, now: float) -> None:
        came = defaultdict[int, tuple[list[int], list[int]]](lambda: ([], []))
        for key, arrival_us in zip(*(column.tolist() for column in phase.take()), strict=True):
            keys, arrivals_us = came[key >> 16]
            keys.append(key)
            arrivals_us.append(arrival_us)
        told = {}
        for row, (keys, arrivals_us) in came.items():
            if self._due[row] > self._turns:
                for key, arrival_us in zip(keys, arrivals_us, strict=True):
                    phase.record(key, arrival_us)
            else:
                told[row] = self._tell(phase, row, keys, arrivals_us, now)
        if told:
            phase.tell(now, ToldSingly(told))

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
        self._due[row] = self._turns + _WAITS[int(self._video[row]), int(busy)]
        for message in messages:
            self._outbox.put(row, message)
        return report

    def _together(self, phase: Arrivals, now: float) -> None:
        keys, arrivals_us = phase.take()
        due = self._due[keys >> 16] <= self._turns
        phase.put_back(keys[~due], arrivals_us[~due])
        order = np.argsort(keys[due] >> 16, kind="stable")
        if not len(order):
            return
        batch = _batch(keys[due][order], arrivals_us[due][order])
        if len(batch.rows) > MOST:
            first = np.zeros(len(batch.rows), np.bool_)
            first[np.argsort(self._due[batch.rows], kind="stable")[:MOST]] = True
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
            phase.tell(now, ToldSingly(told))
            if not len(batch.rows):
                return
            reports, _ = _follow(batch, self._highest[batch.rows])
        self._write(batch.rows, reports)
        phase.tell(now, Told(batch.rows.tolist(), reports))

    def _write(self, rows: Int64s, reports: Reports) -> None:
        """Send many transports their feedback."""
        peers = rows.tolist()
        to = Addressing(self._sender_ssrcs[rows], self._media_ssrcs[rows], self._counts[rows])
        lengths = twcc_columns.write(self._outbox.rows(peers), reports, to)
        self._outbox.written(lengths.tolist())
        self._highest[rows] = reports.sequences[reports.bounds[1:] - 1]
        self._counts[rows] = to.counts + 1 & 0xFF
        busy = np.diff(reports.bounds) >= BUSY_PACKETS
        self._due[rows] = self._turns + _WAITS[self._video[rows].astype(np.int64), busy.astype(np.int64)]

    def _grow(self) -> None:
        self._highest = grown(self._highest, -1)
        self._counts = grown(self._counts)
        self._sender_ssrcs = grown(self._sender_ssrcs)
        self._media_ssrcs = grown(self._media_ssrcs)
        self._video = grown(self._video)
        self._due = grown(self._due)


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
