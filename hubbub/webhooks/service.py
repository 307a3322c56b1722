"""Takes events in, starts a worker for each target, and answers the API's questions about deliveries."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

import structlog
from livekit.protocol import webhook

from auth.keys import KeyRing
from hubbub.database import Database, DatabaseError
from hubbub.logging import Seldom
from rooms.ids import Ids

from . import queue
from .config import WebhookConfig
from .errors import NoSuchDelivery, NoSuchTarget
from .events import RoomEvents
from .inbox import Inbox
from .queue import Accepted, Delivery, State
from .sender import Sender
from .worker import Counters, Worker

log = structlog.get_logger(__name__)

EVENT = "EV_"
PURGE_EVERY_S = 60.0
DRAIN_S = 2.0
"""How long the end of the server waits for receivers. What they don't get then, they get after the next start."""
MAX_PAGE = 200
MAX_REPLAYED = 10_000
"""Dead letters that are replayed at once."""
_MAX_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """Some deliveries, the latest first."""

    deliveries: tuple[Delivery, ...]
    next_page: str
    """Asks for what comes after them; empty at the end."""


class Webhooks:
    """All targets. :attr:`observer` is what listens to rooms."""

    def __init__(
        self, config: WebhookConfig, database: Database, keys: KeyRing, ids: Ids, wall: Callable[[], float]
    ) -> None:
        self._config = config
        self._database = database
        self._keys = keys
        self._ids = ids
        self._wall = wall
        self._targets = {target.name: target for target in config.receivers()}
        self._workers: dict[str, Worker] = {}
        self._inbox = Inbox(database, self._written)
        self._last_number = 0
        self._purging: asyncio.Task[None] | None = None
        self._told_of_drops = Seldom(PURGE_EVERY_S)
        self.observer = RoomEvents(self.emit, full_room=config.full_room)

    @property
    def counters(self) -> Mapping[str, Counters]:
        """What became of deliveries since the start, by target."""
        return {name: worker.counters for name, worker in self._workers.items()}

    async def start(self) -> None:
        """Go on with what a former process left; the database is open. Raises DatabaseError."""
        names, now = tuple(self._targets), self._wall()
        self._last_number = await self._database.run(queue.last_number)
        if abandoned := await self._database.run(lambda db: queue.abandon(db, names, now)):
            log.warning("webhooks waited for targets that are no longer configured", dead=abandoned)
        waiting = await self._database.run(queue.pending)
        for name, target in self._targets.items():
            sender = Sender(target, self._keys, self._wall, self._config)
            worker = Worker(name, self._database, sender, self._config, self._wall)
            worker.counters.pending = waiting.get(name, 0)
            self._workers[name] = worker
            worker.start()
        self._purging = asyncio.create_task(self._purge_now_and_then(), name="purge webhooks")

    async def close(self) -> None:
        """Write what was accepted, give receivers a moment, and stop; the database is closed after this."""
        if self._purging is None:
            return
        self._purging.cancel()
        await self._inbox.close()
        workers = self._workers.values()
        with suppress(TimeoutError, DatabaseError):
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*(worker.drain() for worker in workers))
        await asyncio.gather(self._purging, *(worker.close() for worker in workers), return_exceptions=True)

    # --- events ---

    def emit(self, event: webhook.WebhookEvent) -> None:
        """Accept an event, which is this service's from now on: it is on its way to the disk on return."""
        wanting = [
            worker
            for name, worker in self._workers.items()
            if self._targets[name].wants(event.event, event.room.name)
        ]
        workers = [worker for worker in wanting if worker.counters.pending < self._config.max_pending]
        now = self._wall()
        if workers:
            event.id = self._ids.make(EVENT)
            event.created_at = int(now)
            deliveries = tuple((self._next_number(now), worker.name) for worker in workers)
            if not self._inbox.put(Accepted(event, now, deliveries)):
                workers = []
        for worker in workers:
            worker.counters.pending += 1
        self._drop([worker for worker in wanting if worker not in workers], now)

    @property
    def has_place(self) -> bool:
        """Whether another event would be accepted, as far as memory goes."""
        return self._inbox.has_place

    async def written(self) -> None:
        """Return when all events so far are on disk, or can't be written now."""
        await self._inbox.written()

    def _drop(self, workers: Sequence[Worker], now: float) -> None:
        for worker in workers:
            worker.counters.dropped += 1
        if workers and self._told_of_drops.due(now):
            dropped = {worker.name: worker.counters.dropped for worker in workers}
            log.error("webhooks are dropped: too many wait", dropped_so_far=dropped)

    def _next_number(self, now: float) -> int:
        """Microseconds since the epoch, or a little more: in order, and never given twice."""
        self._last_number = max(self._last_number + 1, int(now * 1e6))
        return self._last_number

    def _written(self, batch: Sequence[Accepted]) -> None:
        for name in {name for _, name in chain.from_iterable(item.deliveries for item in batch)}:
            self._workers[name].wake()

    # --- for the API ---

    async def deliveries(
        self,
        *,
        state: State | None = None,
        target: str | None = None,
        room: str | None = None,
        limit: int = 50,
        page: str = "",
    ) -> Page:
        """Deliveries, the latest first; ``state="dead"`` lists the dead letters. `page` is a former page's next."""
        before = _number(page) if page else _MAX_NUMBER
        limit = max(1, min(limit, MAX_PAGE))
        found = await self._database.run(
            lambda db: queue.listed(db, state, target, room, before or 0, limit + 1)
        )
        shown = tuple(found[:limit])
        return Page(shown, shown[-1].id if len(found) > limit else "")

    async def delivery(self, delivery_id: str) -> tuple[Delivery, str]:
        """A delivery and its body. Raises NoSuchDelivery."""
        number = _number(delivery_id)
        found = None if number is None else await self._database.run(lambda db: queue.one(db, number))
        if found is None:
            raise NoSuchDelivery("there is no such delivery")
        return found

    async def replay(self, delivery_id: str) -> Delivery:
        """Send a delivery again as it was, id and all. Raises NoSuchDelivery or NoSuchTarget."""
        delivery, _ = await self.delivery(delivery_id)
        if delivery.target not in self._workers:
            raise NoSuchTarget(f"{delivery.target} is no longer configured")
        await self._replay(delivery.target, [int(delivery.id)])
        return (await self.delivery(delivery_id))[0]

    async def replay_dead(self, target: str) -> int:
        """Send a target's dead letters again, the earliest first; how many. Raises NoSuchTarget."""
        if target not in self._workers:
            raise NoSuchTarget("there is no such target")
        numbers = await self._database.run(lambda db: queue.numbers_of(db, "dead", target, MAX_REPLAYED))
        return await self._replay(target, numbers)

    async def _replay(self, target: str, numbers: Sequence[int]) -> int:
        now = self._wall()
        queued = await self._database.run(lambda db: queue.replay(db, numbers, now))
        self._workers[target].counters.pending += queued
        self._workers[target].wake()
        return queued

    # --- housekeeping ---

    async def _purge_now_and_then(self) -> None:
        while True:
            with suppress(DatabaseError):
                await self._purge("delivered", self._wall() - self._config.keep_delivered_s)
                await self._purge("dead", self._wall() - self._config.keep_dead_s)
            await asyncio.sleep(PURGE_EVERY_S)

    async def _purge(self, state: State, before: float) -> None:
        while await self._database.run(lambda db: queue.purge(db, state, before)) == queue.PURGE_ROWS:
            pass


def _number(text: str) -> int | None:
    """A delivery's number from its id, or None where it can't be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
