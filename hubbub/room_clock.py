"""Keeps a RoomService's time: one alarm, set for whatever the rooms wait for next."""

import time
from collections.abc import Awaitable, Callable

from rooms.join import JoinRequest
from rooms.ports import SignalSink
from rooms.service import RoomService
from rooms.session import Session
from sfu.control import Event
from signaling.alarm import Alarm


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
        self._alarm = Alarm()
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
        self._alarm.cancel()

    def arm(self) -> None:
        """Have the rooms woken when they next want that, if that is earlier than they would be."""
        at = self.service.next_timeout()
        if at is not None and not self._stopped:
            self._alarm.set(at, self._clock.now(), self._fire)

    def _fire(self) -> None:
        try:
            self.service.on_timeout(self._clock.now())
        finally:
            self.arm()


async def _nobody_objects(request: JoinRequest) -> None: ...
