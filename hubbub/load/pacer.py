"""The one timer that sends everybody's media."""

import asyncio
import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from hubbub.load.sources import Source

TICK_S = 0.005


class Pacer:
    """Calls sources when they have something, and hands over their packets, while started."""

    def __init__(self) -> None:
        self.worst_lag_s = 0.0
        """The longest that packets were late since the last :meth:`reset`; tells of a tester out of breath."""
        self._due: list[tuple[float, int, Source, Callable[[bytes], None]]] = []
        self._ties = count()
        self._removed: set[Source] = set()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def add(self, source: Source, send: Callable[[bytes], None]) -> None:
        heappush(self._due, (source.next_at, next(self._ties), source, send))

    def remove(self, source: Source) -> None:
        self._removed.add(source)

    def reset(self) -> None:
        self.worst_lag_s = 0.0

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = time.monotonic()
        due = self._due
        if due:
            self.worst_lag_s = max(self.worst_lag_s, now - due[0][0])
        while due and due[0][0] <= now:
            _, tie, source, send = heappop(due)
            if source in self._removed:
                self._removed.discard(source)
                continue
            for packet in source.take(now):
                send(packet)
            heappush(due, (source.next_at, tie, source, send))
        self._timer = loop.call_later(TICK_S, self._tick)
