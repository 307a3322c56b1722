"""The database's thread and the queue in front of it.

What is handed over while the disk is busy is written together: one commit, and one wait for the disk, for all
of it. So a single write is on disk as soon as the disk can, and thousands cost little more than one.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from .config import MEMORY
from .errors import DatabaseUnavailable
from .ports import Work
from .schema import Schema, migrate
from .sqlite import Connection

log = structlog.get_logger(__name__)

T = TypeVar("T")

MAX_WAITING = 20_000
"""Pieces of work that may wait; more are refused, as when a disk hangs."""
MAX_GROUP = 1000
"""Pieces of work that are committed together."""


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    future: "asyncio.Future[Any]"


class Database:
    """Opened once; used from the event loop that opened it, which it never blocks."""

    def __init__(self, path: str = MEMORY, *, durable: bool = True, claim: bool = True) -> None:
        """``claim`` keeps other servers out; commands that change something beside a server don't."""
        self.path = path
        self._durable = durable
        self._claim = claim
        self._waiting: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._failing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[None] | None = None
        self.commits = 0
        """How many groups were written."""

    async def open(self, schemas: Sequence[Schema] = ()) -> None:
        """Open or make the file and bring every component's tables up to date. Raises StartError."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._ended = self._loop.create_future()
        threading.Thread(
            target=self._serve, args=(tuple(schemas), opened), name="database", daemon=True
        ).start()
        try:
            await opened
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish all work that was handed over, then close the file."""
        if self._ended is None:
            return
        with self._wake:
            self._closing = True
            self._wake.notify()
        await asyncio.shield(self._ended)

    async def run(self, work: Work[T]) -> T:
        """Have work done and committed. Raises DatabaseError, and what the work raises, which undoes it."""
        return await self.submit(work)

    def submit(self, work: Work[T]) -> "asyncio.Future[T]":
        """Hand work over now; the future is done when it has been committed. Work is done in this order.

        Cancelling the future leaves the work as it is.
        """
        assert self._loop is not None, "not open"
        future: asyncio.Future[T] = self._loop.create_future()
        with self._wake:
            if self._closing:
                future.set_exception(DatabaseUnavailable("the database is closed"))
            elif len(self._waiting) >= MAX_WAITING:
                future.set_exception(DatabaseUnavailable("too much is waiting to be written"))
            else:
                self._waiting.append(_Job(work, future))
                self._wake.notify()
        return future

    # --- in the thread ---

    def _serve(self, schemas: Sequence[Schema], opened: "asyncio.Future[None]") -> None:
        try:
            connection = Connection(self.path, durable=self._durable, claim=self._claim)
            try:
                with connection.group():
                    for schema in schemas:
                        migrate(connection, schema)
                self._tell([(opened, None, None)])
                while group := self._next_group():
                    self._carry_out(connection, group)
            finally:
                connection.close()
        except BaseException as error:  # noqa: BLE001 - whatever keeps it from opening, whoever opens is told
            self._tell([(opened, None, error)])
        assert self._ended is not None
        self._tell([(self._ended, None, None)])

    def _next_group(self) -> list[_Job]:
        """What waits, once something does; nothing when it is time to close."""
        with self._wake:
            while not self._waiting and not self._closing:
                self._wake.wait()
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_GROUP))]

    def _carry_out(self, connection: Connection, group: list[_Job]) -> None:
        """All of a group in one commit; if that fails, each piece in one of its own."""
        try:
            with connection.group():
                results = [connection.do(job.work) for job in group]
        except BaseException as error:  # noqa: BLE001 - each piece's own error goes to whoever handed it over
            if len(group) == 1:
                self._note(error)
                self._tell([(group[0].future, None, error)])
            else:
                for job in group:
                    self._carry_out(connection, [job])
            return
        self._note(None)
        self.commits += 1
        self._tell([(job.future, result, None) for job, result in zip(group, results, strict=True)])

    def _note(self, error: BaseException | None) -> None:
        """Log when the database begins to fail and when it works again, not every time in between."""
        if isinstance(error, DatabaseUnavailable) and not self._failing:
            self._failing = True
            log.error("the database can't be written", path=self.path, error=str(error))
        elif error is None and self._failing:
            self._failing = False
            log.info("the database can be written again", path=self.path)

    def _tell(self, outcomes: "list[_Outcome]") -> None:
        assert self._loop is not None
        # Without an event loop nobody waits any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_settle, outcomes)


_Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]
"""A future, and its result or its error."""


def _settle(outcomes: list[_Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
