"""Reads the RTCP that can wait (:mod:`sfu.net.steering`): with the media that comes next, else by a timer."""

import asyncio
import time
from collections.abc import Callable
from math import inf

from sfu.net.udp import UdpPort
from sfu.rounds import Rounds

INTERVAL_S = 0.010
"""Between looks, at least."""
PATIENCE = 3
"""Looks that find nothing before the next that comes wakes us: to be woken costs more than a look does."""


class LateReports:
    """The ports to which it comes. Ask :attr:`due_at` when awake for something else."""

    def __init__(self, read: Callable[[UdpPort, float, float], bool | None]) -> None:
        """``read`` takes a batch from a port, given monotonic and Unix time.

        It returns None for an empty one, else whether there may be more.
        """
        self._read = read
        self._rounds = Rounds(self._look, INTERVAL_S)
        self.ports: list[UdpPort] = []
        self._in_vain = 0
        """Looks since something was found."""

    @property
    def due_at(self) -> float:
        """When to :meth:`begin`; infinity when nothing has come for a while: then the first of it wakes us."""
        return self._rounds.due_at

    def start(self) -> None:
        """Begin, in a running event loop."""
        self._listen()

    def begin(self) -> None:
        """Read what has come."""
        self._rounds.begin()

    def stop(self) -> None:
        """Read no more, and close the ports."""
        self._rounds.stop()
        self._ignore()
        for port in self.ports:
            port.close()

    def _look(self) -> float | None:
        """Read some; returns when to look again, None for at once."""
        now, unix_now = time.monotonic(), time.time()
        found = [self._read(port, now, unix_now) for port in self.ports]
        self._in_vain = self._in_vain + 1 if all(more is None for more in found) else 0
        if True in found:
            return None
        if self._in_vain < PATIENCE:
            return now
        self._listen()
        return inf

    def _listen(self) -> None:
        for port in self.ports:
            asyncio.get_running_loop().add_reader(port.fileno, self._on_readable)

    def _ignore(self) -> None:
        for port in self.ports:
            asyncio.get_running_loop().remove_reader(port.fileno)

    def _on_readable(self) -> None:
        """The first for a while. There will be more, which need not wake us."""
        self._ignore()
        self.begin()
