"""Events on their way to the disk: in memory for as long as one write takes, in order, none left out."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import structlog

from hubbub.database import Database, DatabaseUnavailable

from . import queue
from .queue import Accepted

log = structlog.get_logger(__name__)

MAX_UNWRITTEN = 10_000
"""Events that may wait here, as while the disk is full."""
MAX_TOGETHER = 500
"""Events that are written together."""
RETRY_S = 1.0


class Inbox:
    """Writes one batch after the other; what comes meanwhile is the next batch."""

    def __init__(self, database: Database, written: Callable[[Sequence[Accepted]], None]) -> None:
        self._database = database
        self._written = written
        self._items: deque[Accepted] = deque()
        self._together = MAX_TOGETHER
        self._busy = False
        self._retry: asyncio.TimerHandle | None = None
        self._settled = asyncio.Event()
        """Nothing is left, or it can't be written now."""
        self._settled.set()

    def put(self, item: Accepted) -> bool:
        """Hand an event to the database, at once if it has none of ours; whether there was a place for it."""
        if not self.has_place:
            return False
        self._items.append(item)
        if not self._busy:
            self._write()
        return True

    @property
    def has_place(self) -> bool:
        """Whether there is a place for another event."""
        return len(self._items) < MAX_UNWRITTEN

    async def written(self) -> None:
        """Return when everything that was put here is on disk, or can't be written now."""
        await self._settled.wait()

    async def close(self) -> None:
        """Return when everything is written, or can't be."""
        await self._settled.wait()
        if self._retry is not None:
            self._retry.cancel()
        if self._items:
            log.error("webhooks are lost that could not be written", events=len(self._items))

    def _write(self) -> None:
        self._busy = True
        self._settled.clear()
        batch = tuple(islice(self._items, self._together))
        write = self._database.submit(partial(queue.insert, accepted=batch))
        write.add_done_callback(partial(self._done, batch))

    def _done(self, batch: Sequence[Accepted], write: "asyncio.Future[None]") -> None:
        error = None if write.cancelled() else write.exception()
        if isinstance(error, DatabaseUnavailable):
            self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._write)
            self._settled.set()
            return
        if error is not None and len(batch) > 1:
            # One of them can't be written: find out which.
            self._together = 1
            self._write()
            return
        for _ in batch:
            self._items.popleft()
        if error is None:
            self._together = MAX_TOGETHER
            self._written(batch)
        else:
            log.error("a webhook can't be written", webhook_event=batch[0].event.event, exc_info=error)
        if self._items:
            self._write()
        else:
            self._busy = False
            self._settled.set()
