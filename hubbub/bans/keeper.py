"""Writes bans and revocations to the database as they come, and reads them when the server starts."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from hubbub.database import Database, Work
from rooms.bans import Ban, Bans, Revocation
from rooms.errors import NotKept

from . import store

log = structlog.get_logger(__name__)


class StoredBans:
    """A ``rooms.bans.BanKeeper``. What is handed to it is on disk a moment later, or when the server stops."""

    def __init__(self, database: Database, wall: Callable[[], float]) -> None:
        self._database = database
        self._wall = wall
        self._unwritten: set[asyncio.Future[None]] = set()

    async def restore(self, bans: Bans) -> None:
        """Fill in what was written down; the database is open. Raises DatabaseError."""
        now = self._wall()
        bans.restore(*await self._database.run(lambda db: store.load(db, now)))

    def ban_added(self, ban: Ban) -> None:
        """See BanKeeper."""
        self._write(lambda db: store.add(db, ban))

    def ban_removed(self, ban_id: str) -> None:
        """See BanKeeper."""
        self._write(lambda db: store.remove(db, ban_id))

    def revoked(self, revocation: Revocation) -> None:
        """See BanKeeper."""
        self._write(lambda db: store.revoke(db, revocation))

    def when_kept(self, then: Callable[[NotKept | None], None]) -> None:
        """See BanKeeper."""
        if not self._unwritten:
            then(None)
            return
        written = asyncio.gather(*self._unwritten, return_exceptions=True)
        written.add_done_callback(lambda done: then(NotKept() if any(done.result()) else None))

    def _write(self, work: Work[None]) -> None:
        written = self._database.submit(work)
        self._unwritten.add(written)
        written.add_done_callback(self._unwritten.discard)
        written.add_done_callback(_log_failure)


def _log_failure(written: "asyncio.Future[Any]") -> None:
    if not written.cancelled() and (error := written.exception()) is not None:
        log.error("a ban holds, but only until the server ends: it can't be written", error=str(error))
