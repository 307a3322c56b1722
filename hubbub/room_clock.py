"""Keeps a RoomService's time: one timer of the event loop, armed for whatever the rooms wait for next."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from rooms.join import JoinRequest
from rooms.ports import SignalSink
from rooms.service import RoomService
from rooms.session import Session
from sfu.control import Event

MIN_DELAY_S = 0.001
"""Event loops round to milliseconds; a timer that comes too early would only be armed again."""


class SystemClock:
    """The clock of a server (``rooms.ports.Clock``)."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()


class TimedRooms:
    """A RoomService with its timer."""

    def __init__(
        self,
        service: RoomService,
        clock: SystemClock,
        ask: Callable[[JoinRequest], Awaitable[None]] | None = None,
    ) -> None:
        """``ask`` raises JoinRefused for whom it objects to."""
        self.service = service
        self._ask = ask or _nobody_objects
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = float("inf")
        self._stopped = False
        service.watch_timeouts(self.arm)

    async def admit(self, request: JoinRequest) -> None:
        """See ``signaling.ports.Rooms``."""
        await self._ask(self.service.check(request))

    def join(self, request: JoinRequest, sink: SignalSink) -> Session:
        """See RoomService."""
        return self.service.join(request, sink)

    def resume(self, request: JoinRequest, sink: SignalSink) -> Session | None:
        """See RoomService."""
        return self.service.resume(request, sink)

    def on_media_event(self, event: Event) -> None:
        """See RoomService."""
        self.service.on_media_event(event)

    def shutdown(self) -> None:
        """See RoomService."""
        self._stopped = True
        self.service.shutdown()
        if self._timer is not None:
            self._timer.cancel()

    def arm(self) -> None:
        """Set the timer if the rooms want to be woken earlier than it is set for."""
        at = self.service.next_timeout()
        if self._stopped or at is None or at >= self._armed_for:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = at
        delay_s = max(at - self._clock.now(), 0.0) + MIN_DELAY_S
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._fire)

    def _fire(self) -> None:
        self._timer, self._armed_for = None, float("inf")
        try:
            self.service.on_timeout(self._clock.now())
        finally:
            self.arm()


async def _nobody_objects(request: JoinRequest) -> None: ...
