"""One timer of the event loop for whoever waits for several things: set for the earliest of them."""

import asyncio
from collections.abc import Callable
from math import inf

LATE_S = 0.002
"""Event loops round delays to milliseconds, and the time that they reckon from as well; a timer that comes too early
would only be set again, and again until it isn't."""


class Alarm:
    """Rings once for each time that it is set; times are seconds of a monotonic clock."""

    __slots__ = ("_at", "_handle")

    def __init__(self) -> None:
        self._at = inf
        self._handle: asyncio.TimerHandle | None = None

    def set(self, at: float, now: float, ring: Callable[[], None]) -> None:
        """Call ``ring`` at this time, unless one set before is earlier: whoever hears that sets it again."""
        if at >= self._at:
            return
        self.cancel()
        self._at = at
        delay_s = max(at - now, 0.0) + LATE_S
        self._handle = asyncio.get_running_loop().call_later(delay_s, self._on_time, ring)

    def cancel(self) -> None:
        """Don't ring."""
        if self._handle is not None:
            self._handle.cancel()
        self._at, self._handle = inf, None

    def _on_time(self, ring: Callable[[], None]) -> None:
        self._at, self._handle = inf, None
        ring()
