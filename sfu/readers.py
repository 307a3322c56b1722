"""Reads the media ports when something comes, or, where much comes, once in a millisecond."""

import asyncio
import time
from collections.abc import Callable, Sequence

from sfu.coalescing import Coalescing
from sfu.net.udp import UdpPort


class Readers:
    """The ports of an engine, and how they are listened to."""

    def __init__(
        self, read: Callable[[UdpPort, float], int], hurried: Callable[[], bool], delay_s: float
    ) -> None:
        """``read`` reads a port, given the monotonic time, and returns how many datagrams there were.

        Where it pays to be late (:mod:`sfu.coalescing`) it is called every ``delay_s``, unless there is so much to do
        that somebody is ``hurried``. 0 means never.
        """
        self._read = read
        self._hurried = hurried
        self._delay_s = delay_s
        self._coalescing = Coalescing()
        self._ports: Sequence[UdpPort] = ()
        self._waiting: list[UdpPort] = []
        """Ports that nobody listens to, because they are read when the time has come."""
        self._timer: asyncio.TimerHandle | None = None

    def start(self, ports: Sequence[UdpPort]) -> None:
        """Begin, in a running event loop."""
        self._ports = ports
        for port in ports:
            self._listen(port)

    def stop(self) -> None:
        """Read no more."""
        for port in self._ports:
            asyncio.get_running_loop().remove_reader(port.fileno)
        if self._timer is not None:
            self._timer.cancel()

    def _listen(self, port: UdpPort) -> None:
        asyncio.get_running_loop().add_reader(port.fileno, self._on_readable, port)

    def _on_readable(self, port: UdpPort) -> None:
        for other in self._waiting:  # what has come there comes first, so that checks of ICE keep their order
            self._take(other)
        self._take(port)
        if self._waits():
            asyncio.get_running_loop().remove_reader(port.fileno)
            self._waiting = sorted([*self._waiting, port], key=lambda one: one.index)
            if len(self._waiting) == 1:
                self._wait()

    def _waits(self) -> bool:
        return self._delay_s > 0 and self._coalescing.pays and not self._hurried()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._delay_s, self._on_time)

    def _on_time(self) -> None:
        """Read what has come meanwhile, and go on like that with ports that had something, as long as it pays."""
        late, self._waiting = self._waiting, []
        try:
            for port in late:
                if self._take(port):
                    self._waiting.append(port)
        finally:  # a fault in one batch is not the end of all
            if not self._waits():
                self._waiting = []
            for port in late:
                if port not in self._waiting:
                    self._listen(port)
            if self._waiting:
                self._wait()

    def _take(self, port: UdpPort) -> int:
        began_at = time.monotonic()
        datagrams = self._read(port, began_at)
        now = time.monotonic()
        self._coalescing.took(datagrams, now - began_at, now)
        return datagrams
