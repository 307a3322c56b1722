"""Sends what waits for one target: lanes beside each other, each lane's deliveries one after the other.

In memory is only what is being sent; the queue is in the database. A target that is slow or hangs fills its own
connections and nobody else's.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

import structlog

from hubbub.database import Database, DatabaseError, Work
from hubbub.logging import Seldom

from . import queue
from .config import WebhookConfig
from .queue import Parcel
from .sender import Fate, Outcome, Sender

log = structlog.get_logger(__name__)

PARCELS = 16
"""Deliveries of a lane that are read at a time."""
DATABASE_PAUSE_S = 2.0
"""Wait when the database fails."""
PATIENCE = 2.0
"""A lane that waits this many times longer than any should has outlived a change of the clock: it is due."""
JITTER = 0.25
"""A wait is up to this part longer, so that lanes which failed together don't return together."""
DEAD_LOG_EVERY_S = 60.0
DRAIN_POLL_S = 0.02


class _Seen(TypedDict):
    """What a try showed, for the queue."""

    number: int
    now: float
    status: int | None
    error: str
    attempts: int


@dataclass(slots=True)
class Counters:
    """What became of one target's deliveries since the start."""

    pending: int = 0
    """Waiting now."""
    delivered: int = 0
    retried: int = 0
    dead: int = 0
    dropped: int = 0
    """Never queued, because too many waited."""


class Worker:
    """One target's."""

    def __init__(
        self,
        name: str,
        database: Database,
        sender: Sender,
        config: WebhookConfig,
        wall: Callable[[], float],
    ) -> None:
        self.name = name
        self.counters = Counters()
        self._database = database
        self._sender = sender
        self._config = config
        self._wall = wall
        self._wake = asyncio.Event()
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._failing = False
        self._told_of_dead = Seldom(DEAD_LOG_EVERY_S)
        self._main: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send."""
        self._main = asyncio.create_task(self._run(), name=f"webhooks to {self.name}")

    def wake(self) -> None:
        """Something new has been committed."""
        self._wake.set()

    async def drain(self) -> None:
        """Return once nothing is due; cancel it when patience ends."""
        while True:
            due = any(self._is_due(due_at, self._wall()) for _, due_at in await self._due())
            if not due and not self._serving:
                return
            await asyncio.sleep(DRAIN_POLL_S)

    async def close(self) -> None:
        """Stop at once; what is under way is sent again by the next start."""
        tasks = [*self._serving.values(), *([self._main] if self._main else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._sender.close()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                wait_s = self._serve_due(await self._due())
            except DatabaseError:
                wait_s = DATABASE_PAUSE_S
            # No wait_for(): with Python 3.11 a cancellation is lost in it that comes together with what it waits for.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def _due(self) -> list[tuple[str, float]]:
        """Enough lanes to find one that isn't being served, if there is one."""
        limit = 2 * self._config.max_connections
        return await self._database.run(lambda db: queue.next_lanes(db, self.name, limit))

    def _is_due(self, due_at: float, now: float) -> bool:
        return not now < due_at <= now + PATIENCE * self._config.retry_max_s

    def _serve_due(self, lanes: list[tuple[str, float]]) -> float | None:
        """Begin with lanes that are due; how long there is nothing to do then, None for until something happens."""
        now = self._wall()
        for lane, due_at in lanes:
            if lane in self._serving:
                continue
            if len(self._serving) >= self._config.max_connections:
                return None
            if not self._is_due(due_at, now):
                return due_at - now + 0.001
            task = asyncio.create_task(self._serve(lane), name=f"webhooks to {self.name} of {lane}")
            self._serving[lane] = task
        return None

    async def _serve(self, lane: str) -> None:
        try:
            await self._send_some(lane)
        except DatabaseError:
            # What was sent may not be marked so; better late than over and over.
            await asyncio.sleep(DATABASE_PAUSE_S)
        finally:
            del self._serving[lane]
            self._wake.set()

    async def _send_some(self, lane: str) -> None:
        """Send a few of a lane, up to the first that has to be tried again; other lanes have their turn then."""
        parcels = await self._database.run(lambda db: queue.next_parcels(db, self.name, lane, PARCELS))
        marks: list[asyncio.Future[None]] = []
        try:
            for parcel in parcels:
                work, going_on = self._mark(parcel, await self._sender.send(parcel.body))
                marks.append(self._database.submit(work))
                if not going_on:
                    break
            else:
                work = partial(queue.go_on, target=self.name, lane=lane, now=self._wall())
                marks.append(self._database.submit(work))
        finally:
            # Also when cancelled: what arrived is marked before the database closes.
            results = await asyncio.gather(*marks, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _mark(self, parcel: Parcel, outcome: Outcome) -> tuple[Work[None], bool]:
        """What to write of a try, and whether the lane goes on."""
        now, attempts = self._wall(), parcel.attempts + 1
        seen = _Seen(
            number=parcel.number, now=now, status=outcome.status, error=outcome.error, attempts=attempts
        )
        if outcome.fate is Fate.DELIVERED:
            self.counters.delivered += 1
            self.counters.pending -= 1
            self._note(None)
            return partial(queue.finish, state="delivered", **seen), True
        self._note(outcome.error)
        given_up = now + self._config.retry_min_s > parcel.since + self._config.retry_for_s
        if outcome.fate is Fate.REFUSED or given_up:
            self.counters.dead += 1
            self.counters.pending -= 1
            self._tell_dead(parcel, outcome, now)
            return partial(queue.finish, state="dead", **seen), True
        self.counters.retried += 1
        due_at = now + self._delay_s(attempts, outcome.retry_after_s)
        return partial(queue.postpone, due_at=due_at, **seen), False

    def _delay_s(self, attempts: int, asked_s: float) -> float:
        config = self._config
        # The exponent is bounded, or a patient retry would end in numbers too large for a float.
        backoff_s = config.retry_min_s * 2.0 ** min(attempts - 1, 30)
        delay_s = min(max(backoff_s, asked_s), config.retry_max_s)
        return delay_s * (1 + JITTER * random.random())  # noqa: S311 - no secret

    def _note(self, error: str | None) -> None:
        """Log when a target begins to fail and when it works again, not every time in between."""
        if error is not None and not self._failing:
            log.warning("webhooks do not arrive", target=self.name, error=error)
        elif error is None and self._failing:
            log.info("webhooks arrive again", target=self.name)
        self._failing = error is not None

    def _tell_dead(self, parcel: Parcel, outcome: Outcome, now: float) -> None:
        if self._told_of_dead.due(now):
            log.warning(
                "a webhook is given up",
                target=self.name,
                delivery=str(parcel.number),
                webhook_event=parcel.event,
                error=outcome.error,
                dead_so_far=self.counters.dead,
            )
