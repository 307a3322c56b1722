"""The database's thread: order, groups, errors, and what is left after a crash or on a full disk."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from hubbub.database import Conflict, Database, DatabaseUnavailable, Schema, Transaction
from hubbub.database import database as module
from tests.harness.eventually import PATIENCE_S, eventually
from tests.harness.server import REPOSITORY

NOTES = Schema("notes", migrations=(("CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT NOT NULL)",),))


@asynccontextmanager
async def opened(path: str = ":memory:", *schemas: Schema) -> AsyncIterator[Database]:
    database = Database(path)
    await database.open(schemas or (NOTES,))
    try:
        yield database
    finally:
        await database.close()


def insert(number: int, text: str = "text"):
    return lambda db: db.execute("INSERT INTO notes VALUES (?, ?)", (number, text))


def count(db: Transaction) -> int:
    row = db.row("SELECT count(*) FROM notes")
    assert row is not None
    return int(row[0])


async def test_rows_are_there_after_closing_and_opening(tmp_path: Path) -> None:
    path = str(tmp_path / "deep" / "notes.db")
    async with opened(path) as database:
        assert await database.run(insert(1, "kept")) == 1
    async with opened(path) as database:
        assert await database.run(lambda db: db.rows("SELECT * FROM notes")) == [(1, "kept")]


async def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "private" / "notes.db"
    async with opened(str(path)):
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0


async def test_what_waits_is_committed_together_and_in_order() -> None:
    async with opened() as database:
        await database.run(count)
        before = database.commits
        gate = threading.Event()
        held = database.submit(lambda db: gate.wait(5))
        writes = [database.submit(insert(number)) for number in range(500)]
        counted = database.submit(count)
        gate.set()
        assert await counted == 500
        assert await held
        assert [await write for write in writes] == [1] * 500
        assert database.commits - before <= 2


async def test_an_error_undoes_its_own_work_only() -> None:
    async with opened() as database:
        gate = threading.Event()
        held = database.submit(lambda db: gate.wait(5))

        def half(db: Transaction) -> None:
            insert(10)(db)
            raise KeyError("half done")

        good, conflicting = database.submit(insert(1)), database.submit(insert(1))
        broken, last = database.submit(half), database.submit(insert(2))
        gate.set()
        await held
        await good
        with pytest.raises(Conflict):
            await conflicting
        with pytest.raises(KeyError):
            await broken
        await last
        assert await database.run(lambda db: db.rows("SELECT id FROM notes ORDER BY id")) == [(1,), (2,)]


async def test_work_that_nobody_waits_for_any_more_is_done_all_the_same() -> None:
    async with opened() as database:
        gate = threading.Event()
        database.submit(lambda db: gate.wait(5))
        write = database.submit(insert(1))
        write.cancel()
        gate.set()
        assert await database.run(count) == 1


async def test_the_event_loop_turns_while_the_disk_is_slow() -> None:
    async with opened() as database:
        disk = threading.Event()
        slow = database.submit(lambda db: disk.wait(PATIENCE_S))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not slow.done()
        disk.set()
        assert await slow


async def test_closing_finishes_what_was_handed_over(tmp_path: Path) -> None:
    path = str(tmp_path / "notes.db")
    async with opened(path) as database:
        writes = [database.submit(insert(number)) for number in range(2000)]
    assert all(write.done() and write.exception() is None for write in writes)
    with pytest.raises(DatabaseUnavailable):
        await database.run(count)
    async with opened(path) as database:
        assert await database.run(count) == 2000


async def test_a_queue_that_is_full_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    async with opened() as database:
        gate = threading.Event()
        held = database.submit(lambda db: gate.wait(5))
        await eventually(lambda: not database._waiting)
        waiting = [database.submit(insert(number)) for number in range(3)]
        with pytest.raises(DatabaseUnavailable, match="too much"):
            await database.run(insert(4))
        gate.set()
        await asyncio.gather(held, *waiting)


async def test_a_disk_that_fills_up_is_told_and_recovered_from(tmp_path: Path) -> None:
    """The limit on file sizes stands in for a full disk: writing beyond it fails just so."""
    async with opened(str(tmp_path / "notes.db")) as database:
        await database.run(insert(1))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        used = sum(file.stat().st_size for file in tmp_path.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (used + 65_536, hard))
        try:
            with structlog.testing.capture_logs() as logged:
                writes = [database.submit(insert(number, "x" * 50_000)) for number in range(2, 8)]
                outcomes = await asyncio.gather(*writes, return_exceptions=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert "the database can't be written" in {line["event"] for line in logged}
        failed = [outcome for outcome in outcomes if outcome != 1]
        assert failed
        assert all(isinstance(outcome, DatabaseUnavailable) for outcome in failed)
        assert await database.run(count) == 1 + outcomes.count(1)
        await database.run(insert(100))


CRASH = """
    import asyncio, sys
    from hubbub.database import Database
    from tests.hubbub.database.test_database import NOTES, insert

    async def main():
        database = Database(sys.argv[1])
        await database.open([NOTES])
        number = 0
        while True:
            number += 1
            await database.run(insert(number))
            print(number, flush=True)

    asyncio.run(main())
"""


async def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    path = str(tmp_path / "notes.db")
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CRASH), path],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = 0
        for line in process.stdout:
            told = int(line)
            if told == 50:
                process.send_signal(signal.SIGKILL)
                break
        told = max([told, *(int(line) for line in process.stdout if line.strip())])
    async with opened(path) as database:
        # One more may have been committed that could not be told any more.
        assert await database.run(count) in (told, told + 1)
