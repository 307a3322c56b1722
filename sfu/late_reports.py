"""Reads the RTCP that can wait (:mod:`sfu.net.steering`): with the media that comes next, else by a timer."""

import asyncio
import time
from collections.abc import Callable
from math import inf

from sfu.net.udp import UdpPort
from sfu.rounds import Rounds

INTERVAL_S = 0.020
"""Between looks, at least. Arrival times are the kernel's, so nothing that is measured by reports suffers."""
PATIENCE = 2
"""Looks at a port that find nothing before the next that comes wakes us: to be woken costs more than a look does."""


class LateReports:
    """The ports to which it comes. Ask :attr:`due_at` when awake for something else."""

    def __init__(self, read: Callable[[UdpPort, float, float], bool | None]) -> None:
        """``read`` takes a batch from a port, given monotonic and Unix time.

        It returns None for an empty one, else whether there may be more.
        """
        self._read = read
        self._rounds = Rounds(self._look, INTERVAL_S)
        self.ports: list[UdpPort] = []
        self._in_vain: dict[UdpPort, int] = {}
        """Looks at a port since something was found; those that are not here are listened to."""

    @property
    def due_at(self) -> float:
        """When to :meth:`begin`; infinity when nothing has come for a while: then the first of it wakes us."""
        return self._rounds.due_at

    def start(self) -> None:
        """Begin, in a running event loop."""
        for port in self.ports:
            self._listen(port)

    def begin(self) -> None:
        """Read what has come."""
        self._rounds.begin()

    def stop(self) -> None:
        """Read no more, and close the ports."""
        self._rounds.stop()
        for port in self.ports:
            asyncio.get_running_loop().remove_reader(port.fileno)
            port.close()

    def _look(self) -> float | None:
        """Read some; returns when to look again, None for at once."""
        now, unix_now = time.monotonic(), time.time()
        goes_on = False
        for port, in_vain in list(self._in_vain.items()):
            more = self._read(port, now, unix_now)
            if more is not None:
                self._in_vain[port] = 0
                goes_on |= more
            elif in_vain + 1 < PATIENCE:
                self._in_vain[port] = in_vain + 1
            else:
                del self._in_vain[port]
                self._listen(port)
        if goes_on:
            return None
        return now if self._in_vain else inf

    def _listen(self, port: UdpPort) -> None:
        asyncio.get_running_loop().add_reader(port.fileno, self._on_readable, port)

    def _on_readable(self, port: UdpPort) -> None:
        """The first for a while. There will be more, which need not wake us."""
        asyncio.get_running_loop().remove_reader(port.fileno)
        self._in_vain[port] = 0
        if self.due_at == inf:
            self.begin()
