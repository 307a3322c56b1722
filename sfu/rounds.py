"""When rounds of housekeeping begin: with a packet that comes, else by a timer; long ones go on piece by piece."""

import asyncio
import time
from collections.abc import Callable
from math import inf

SILENCE_S = 0.005
"""So late is a round that no packet has begun. To be woken for it costs more than most rounds do."""


class Rounds:
    """Ask :attr:`due_at` when awake for something else."""

    def __init__(self, keep: Callable[[], bool], interval_s: float) -> None:
        """``keep`` does some of a round, and returns whether that was all of it."""
        self._keep = keep
        self._interval_s = interval_s
        self._timer: asyncio.TimerHandle | None = None
        self._halfway = False
        self.due_at = inf
        """When the next round is due; infinity before the first."""

    def begin(self) -> None:
        """Begin a round, unless the one before has not come to its end; others follow until :meth:`stop`."""
        self.stop()  # but for the next ones first, so that a fault in this one is not the end
        self._timer = asyncio.get_running_loop().call_later(self._interval_s + SILENCE_S, self._on_timer)
        self.due_at = time.monotonic() + self._interval_s
        if not self._halfway:
            self._go_on()

    def stop(self) -> None:
        self.due_at = inf
        if self._timer is not None:
            self._timer.cancel()

    def _on_timer(self) -> None:
        self.begin()

    def _go_on(self) -> None:
        """Sockets and everybody else have their turn before the rest of a round."""
        self._halfway = False
        if not self._keep():
            self._halfway = True
            asyncio.get_running_loop().call_soon(self._go_on)
