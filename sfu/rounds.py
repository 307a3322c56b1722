"""When rounds of housekeeping begin: with a packet that comes, else by a timer; long ones go on piece by piece."""

import asyncio
import time
from collections.abc import Callable
from math import inf

SILENCE_S = 0.005
"""So late is a round that no packet has begun. To be woken for it costs more than most rounds do."""


class Rounds:
    """Ask :attr:`due_at` when awake for something else."""

    def __init__(self, keep: Callable[[], float | None], interval_s: float) -> None:
        """``keep`` does some of a round; None if there is more to do in it, else it returns when another is due, which
        begins ``interval_s`` after this one at the earliest; infinity for when :meth:`begin` is called next.
        """
        self._keep = keep
        self._interval_s = interval_s
        self._handle: asyncio.Handle | None = None
        self._halfway = False
        self._began_at = 0.0
        self.due_at = inf
        """When the next round is due; infinity before the first and after the last."""

    def begin(self) -> None:
        """Begin a round, unless the one before has not come to its end; others follow until :meth:`stop`."""
        if not self._halfway:
            self._began_at = time.monotonic()
            self._go_on()

    def hasten(self) -> None:
        """Something has become urgent."""
        soon = self._began_at + self._interval_s
        if soon < self.due_at < inf and not self._halfway:
            self._wait(soon)

    def stop(self) -> None:
        """No more rounds."""
        self.due_at = inf
        if self._handle is not None:
            self._handle.cancel()

    def _go_on(self) -> None:
        next_at: float | None = 0.0  # a fault ends this round and no more
        try:
            next_at = self._keep()
        finally:
            self._halfway = next_at is None
            if next_at is not None:
                self._wait(max(next_at, self._began_at + self._interval_s))
            else:  # sockets and everybody else have their turn before the rest
                self.stop()
                self._handle = asyncio.get_running_loop().call_soon(self._go_on)

    def _wait(self, due_at: float) -> None:
        self.stop()
        self.due_at = due_at
        if due_at == inf:
            return
        delay_s = max(0.0, due_at - time.monotonic()) + SILENCE_S
        self._handle = asyncio.get_running_loop().call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self.begin()
