"""Transport-wide feedback to all publishers of an engine.

Arrivals go into one log for each of a few phases, which have their turns one after the other. In its turn a phase tells
all its transports at once, by compiled loops, what came in order; what is out of order goes through an
:class:`ArrivalLog` of its transport. Both ways come to the same (a test compares them).
"""

from collections.abc import Sequence
from functools import partial
from math import inf
from typing import Any

import numpy as np

from sfu.compiled.feedback import (
    AT_US,
    BUSY_PACKETS,
    DUE,
    FEEDBACKS,
    GENERAL,
    HIGHEST,
    MAX_ARRIVALS,
    MEDIA_SSRC,
    NUMBER,
    SENDER_SSRC,
    STATE_WORDS,
    STOP,
    TOLD_WORDS,
    VIDEO,
    gather,
    write,
)
from sfu.compiled.intake import PHASES, phase_of
from sfu.net.arrays import Int64s, grown
from sfu.net.outbox import Outbox
from sfu.rtp import twcc
from sfu.streams.arrivals import LIMIT, ArrivalLogs, Arrivals, Told, ToldSingly
from sfu.streams.feedback import MAX_INTERVAL_S, MIN_INTERVAL_S, ArrivalLog, Report

PHASE_S = 0.010
"""Between turns of the PHASES: each has one in MIN_INTERVAL_S, of a fifth of the transports where there are many."""
CATCH_UP = 3
"""Turns at most in one round; after a long one the rest comes later, so that it isn't followed by another."""
FEW = 256
"""Up to so many transports all phases have their turns at once: few long turns cost less than many short ones."""
SLOW_INTERVAL_S = 0.250
"""Between feedbacks to who sends no video. libwebrtc keeps feedback to 5 % of the bit rate: 250 ms below 44 kbit/s."""
MOST = 128
"""Transports told in one turn; those who were told last wait for the next."""
LONGEST = MAX_ARRIVALS
"""Arrivals of a transport that compiled loops take."""

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
        self._states: Int64s = np.zeros((capacity, STATE_WORDS), np.int64)
        """Of each transport, as :mod:`sfu.compiled.feedback` says."""
        self._told: Int64s = np.zeros((MOST, TOLD_WORDS), np.int64)
        self._arrivals: Int64s = np.zeros((LIMIT, 2), np.int64)
        self._count = 0
        """Of transports."""

    def open(self, row: int, sender_ssrc: int) -> Arrivals:
        """Begin with a transport; returns what takes its arrivals."""
        while row >= len(self._states):
            self._states = grown(self._states)
        self._count += 1
        state = self._states[row]
        state[:] = 0
        state[HIGHEST] = -1
        state[SENDER_SSRC] = sender_ssrc
        state[VIDEO] = True
        return self._phases[phase_of(row)]

    def describe(self, row: int, media_ssrc: int, *, video: bool) -> None:
        """Note an SSRC that the client sends; it ignores feedback for others. And whether there is video among it."""
        state: Any = self._states[row].data
        state[MEDIA_SSRC] = media_ssrc
        state[VIDEO] = video

    def close(self, row: int) -> None:
        """Forget a transport."""
        self._count -= 1
        self._phases[phase_of(row)].forget(row)

    @property
    def _together(self) -> int:
        """Phases that have their turns at once."""
        return PHASES if self._count <= FEW else 1

    @property
    def due_at(self) -> float:
        """When the next turn is."""
        return self._turned_at + self._together * PHASE_S

    def turn(self, now: float) -> bool:
        """Tell the transports of the next phase, or of all, what came, where that is due; False if it is not the time.

        After a long round more than one phase has its turn: to be called again until there is no more.
        """
        if now <= self.due_at - _ROUNDING_S:
            return False
        together = self._together
        self._turned_at = max(self.due_at, now - max(together, CATCH_UP - 1) * PHASE_S)
        for _ in range(together):
            self._turns += 1
            number = self._turns % PHASES
            if len(self._phases[number]):
                self._tell_phase(number, now)
        return True

    def _tell_phase(self, number: int, now: float) -> None:
        logs, phase = self.logs, self._phases[number]
        count = gather(
            logs.log[number],
            logs.noted,
            number,
            self._states,
            self._turns,
            LONGEST,
            self._told,
            self._arrivals,
        )
        if not count:
            return
        memory, rows = self._outbox.room(count)
        written = write(self._told, count, self._arrivals, self._states, self._turns, _WAITS, memory, rows)
        self._outbox.added(written)
        if written < count:
            self._tell_singly(phase, count, now)
        if written:
            stop = self._told[count - 1, STOP]
            phase.tell(now, Told(self._told[:count].copy(), self._arrivals[:stop].copy()))

    def _tell_singly(self, phase: Arrivals, count: int, now: float) -> None:
        """Send those of the ``count`` told their feedback for whom that is not plain."""
        told = {}
        for row, start, stop, kind in self._told[:count].tolist():
            if kind == GENERAL:
                came = self._arrivals[start:stop]
                told[row] = self._tell(phase, row, came[:, NUMBER].tolist(), came[:, AT_US].tolist(), now)
        phase.tell(now, ToldSingly(told))

    def _tell(
        self, phase: Arrivals, row: int, numbers: list[int], arrivals_us: Sequence[int], now: float
    ) -> Report:
        """Send one transport its feedback, whatever came."""
        state: Any = self._states[row].data
        log = ArrivalLog(state[HIGHEST], state[FEEDBACKS], partial(phase.told_to, row))
        for number, arrival_us in zip(numbers, arrivals_us, strict=True):
            log.record(number & _SEQUENCE, arrival_us)
        report, fb_count = log.take(now)
        messages = twcc.build_report(state[SENDER_SSRC], state[MEDIA_SSRC], *report, fb_count)
        log.skip(len(messages) - 1)
        state[HIGHEST], state[FEEDBACKS] = log.highest, log.fb_count
        busy = len(arrivals_us) >= BUSY_PACKETS
        state[DUE] = self._turns + int(_WAITS[state[VIDEO], int(busy)])
        for message in messages:
            self._outbox.put(row, message)
        return report
