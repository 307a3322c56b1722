"""Writes what the recorder notes, forgets what is old, and answers questions about the past."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from hubbub.database import Database, DatabaseError, DatabaseUnavailable

from . import store
from .config import HistoryConfig
from .errors import NoSuchRoom
from .recorder import Recorder
from .store import ParticipantRecord, Place, RoomRecord, TrackRecord

log = structlog.get_logger(__name__)

WRITE_EVERY_S = 1.0
ALIVE_EVERY_S = 30.0
"""How often it is noted that the server is there, while rooms go on: as much may be missing after it was killed."""
PURGE_EVERY_S = 600.0
MAX_PAGE = 1000

T = TypeVar("T", RoomRecord, ParticipantRecord, TrackRecord)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some records in their order."""

    records: tuple[T, ...]
    next_page: str
    """Asks for what comes after them; empty at the end."""


class History:
    """The past of this server. :attr:`observer` is what listens to rooms."""

    def __init__(self, config: HistoryConfig, database: Database, wall: Callable[[], float]) -> None:
        self._config = config
        self._database = database
        self._wall = wall
        self._due = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.observer = Recorder(wall, self._due.set)

    async def start(self) -> None:
        """Put an end to what a former process left open; the database is open. Raises DatabaseError."""
        if lost := await self._database.run(store.end_lost):
            log.warning("rooms were lost with the last process", rooms=lost)
        self._tasks = [
            asyncio.create_task(self._write_now_and_then(), name="write history"),
            asyncio.create_task(self._purge_now_and_then(), name="purge history"),
        ]

    async def close(self) -> None:
        """Write what is left; the database is closed after this."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        with suppress(DatabaseError):
            await self._write()

    # --- for the API ---

    async def rooms(self, *, name: str | None = None, limit: int = 50, page: str = "") -> Page[RoomRecord]:
        """Rooms, the latest first; of this name, if one is given. `page` is a former page's next."""
        after, limit = _place(page), _bounded(limit)
        found = await self._database.run(lambda db: store.rooms(db, name, after, limit + 1))
        return _page(found, limit, lambda record: record.started_at)

    async def room(self, sid: str) -> RoomRecord:
        """One room. Raises NoSuchRoom."""
        record = await self._database.run(lambda db: store.room(db, sid))
        if record is None:
            raise NoSuchRoom("no such room is remembered")
        return record

    async def participants(
        self, room_sid: str, *, limit: int = 100, page: str = ""
    ) -> Page[ParticipantRecord]:
        """Who came into a room, the first first. Raises NoSuchRoom."""
        await self.room(room_sid)
        after, limit = _place(page), _bounded(limit)
        found = await self._database.run(lambda db: store.participants(db, room_sid, after, limit + 1))
        return _page(found, limit, lambda record: record.joined_at)

    async def tracks(self, room_sid: str, *, limit: int = 100, page: str = "") -> Page[TrackRecord]:
        """What was published in a room, the first first. Raises NoSuchRoom."""
        await self.room(room_sid)
        after, limit = _place(page), _bounded(limit)
        found = await self._database.run(lambda db: store.tracks(db, room_sid, after, limit + 1))
        return _page(found, limit, lambda record: record.published_at)

    # --- writing ---

    async def _write_now_and_then(self) -> None:
        while True:
            # No wait_for(): with Python 3.11 a cancellation is lost in it that comes together with what it waits for.
            with suppress(TimeoutError):
                async with asyncio.timeout(ALIVE_EVERY_S if self.observer.live else None):
                    await self._due.wait()
            with suppress(DatabaseUnavailable):
                await self._write()
            await asyncio.sleep(WRITE_EVERY_S)

    async def _write(self) -> None:
        self._due.clear()
        changes, now = self.observer.changes.take(), self._wall()
        try:
            # Shielded: a cancelled wait does not undo the write.
            await asyncio.shield(self._database.submit(lambda db: store.write(db, changes, now)))
        except DatabaseUnavailable:
            self.observer.changes.put_back(changes)
            self._due.set()
            raise
        except DatabaseError as error:
            log.error("history can't be written", changes=len(changes), error=str(error))

    async def _purge_now_and_then(self) -> None:
        while True:
            with suppress(DatabaseError):
                await self._purge()
            await asyncio.sleep(PURGE_EVERY_S)

    async def _purge(self) -> None:
        before = self._wall() - self._config.keep_s
        while await self._database.run(lambda db: store.purge(db, before)) == store.PURGE_ROOMS:
            pass
        while await self._database.run(store.count_rows) > self._config.max_rows:
            if not await self._database.run(lambda db: store.purge(db, float("inf"))):
                return


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_PAGE))


def _page(found: list[T], limit: int, at: Callable[[T], float]) -> Page[T]:
    shown = tuple(found[:limit])
    return Page(shown, f"{at(shown[-1])!r}~{shown[-1].sid}" if len(found) > limit else "")


def _place(page: str) -> Place | None:
    """Where a page begins; nonsense begins at the beginning."""
    time, _, sid = page.partition("~")
    try:
        return (float(time), sid) if page else None
    except ValueError:
        return None
