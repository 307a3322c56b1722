"""One SQLite connection and the file under it; used by one thread. The only door to sqlite3."""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

from hubbub.errors import StartError

from .config import MEMORY
from .errors import Conflict, DatabaseUnavailable
from .ports import Value, Work

T = TypeVar("T")

CHECKPOINT_PAGES = 2000
"""The log of changes is folded into the file when it has this many pages (4 KiB each)."""


class Connection:
    """A ``Transaction`` while :meth:`group` is open, which is when statements may be carried out."""

    def __init__(self, path: str, *, durable: bool, claim: bool = True) -> None:
        """Open or make the file, for oneself if it is to be claimed. Raises StartError."""
        self._lock = None if path == MEMORY else _made(Path(path), claim)
        try:
            self._sqlite = sqlite3.connect(path, isolation_level=None, cached_statements=256)
            self._sqlite.execute("PRAGMA journal_mode = WAL").fetchall()
            self._sqlite.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._sqlite.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            self._sqlite.execute("PRAGMA foreign_keys = ON")
            # Takes the write lock and reads the file's header, so that what can't work fails here.
            with self.group():
                self._sqlite.execute("PRAGMA user_version = 1")
        except sqlite3.Error as error:
            self._unlock()
            raise StartError(f"database: {path} can't be used: {error}") from None
        except DatabaseUnavailable as error:
            self._unlock()
            raise StartError(f"database: {path} can't be used: {error}") from None

    @contextlib.contextmanager
    def group(self) -> Iterator[None]:
        """All statements inside hold once this is left, or none of them.

        Raises DatabaseUnavailable when they can't be written, and what the work inside raises.
        """
        try:
            self._sqlite.execute("BEGIN IMMEDIATE")
            yield
            self._sqlite.execute("COMMIT")
        except BaseException as error:
            if self._sqlite.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._sqlite.execute("ROLLBACK")
            if isinstance(error, sqlite3.IntegrityError):
                raise Conflict(str(error)) from None
            if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError) and not isinstance(
                error, sqlite3.ProgrammingError
            ):
                raise DatabaseUnavailable(str(error)) from None
            raise

    def do(self, work: Work[T]) -> T:
        """Carry out one piece of work inside :meth:`group`."""
        return work(self)

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        """See Transaction."""
        return self._sqlite.execute(sql, parameters).rowcount

    def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """See Transaction."""
        self._sqlite.executemany(sql, rows)

    def rows(self, sql: str, parameters: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """See Transaction."""
        return self._sqlite.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Value] = ()) -> tuple[Any, ...] | None:
        """See Transaction."""
        row: tuple[Any, ...] | None = self._sqlite.execute(sql, parameters).fetchone()
        return row

    def close(self) -> None:
        """Fold the log of changes into the file and let others have it."""
        with contextlib.suppress(sqlite3.Error):
            self._sqlite.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _made(path: Path, claim: bool) -> IO[bytes] | None:
    """Make the file if need be, for its owner alone, and claim it: two servers would deliver everything twice.

    The claim is on a file beside it, so that others may use the database, and ends with the process.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        lock = path.with_name(path.name + ".lock").open("ab") if claim else None
    except OSError as error:
        raise StartError(
            f"database: {error.filename or path} can't be written: {error.strerror}; "
            'see database.path and data_directory, or set database.path to ":memory:" to keep nothing'
        ) from None
    if lock is None:
        return None
    try:
        import fcntl
    except ImportError:
        return lock
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StartError(f"database: {path} is in use by another Hubbub; give each its own") from None
    return lock
