"""Where engines live. For now one, in this process; the control plane does not notice the difference."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from sfu.config import MediaConfig
from sfu.control import Command, Event, TransportId
from sfu.engine import Engine
from sfu.snapshot import Snapshot, snapshot
from sfu.tap import Tap, TapListener

logger = logging.getLogger(__name__)


class LocalPool:
    """An engine in this process. Events are delivered by the event loop, never from within ``execute``."""

    def __init__(self, config: MediaConfig, on_event: Callable[[Event], None]) -> None:
        self._engine = Engine(config, self._queue)
        self._on_event = on_event
        self._events: deque[Event] = deque()
        self._scheduled = False

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def udp_port(self) -> int:
        """The media port that was opened."""
        return self._engine.ports[0].port

    async def start(self) -> None:
        """Open the ports. Raises MediaStartError naming what is wrong."""
        await self._engine.start()

    def execute(self, command: Command) -> None:
        """Carry out a command; what it leads to comes as events."""
        self._engine.execute(command)

    def tap(self, transport_id: TransportId, listener: TapListener) -> Tap | None:
        """Be the client of a transport that was just opened; None when it could not be. See ``sfu.tap``."""
        transport = self._engine.transports.get(transport_id)
        return None if transport is None else Tap(self._engine, transport, listener)

    def snapshot(self) -> Snapshot:
        """How the engine is doing."""
        return snapshot(self._engine)

    async def close(self) -> None:
        await self._engine.close()

    def _queue(self, event: Event) -> None:
        self._events.append(event)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        for _ in range(len(self._events)):
            event = self._events.popleft()
            try:
                self._on_event(event)
            except Exception:  # a fault in one room must not stop the events of the others
                logger.exception("an event of the data plane was not handled: %s", type(event).__name__)
