"""Bans and revocations outlive the process."""

import asyncio
import itertools
import threading
import time
from pathlib import Path

import pytest

from auth.grants import Claims
from hubbub.bans import store
from hubbub.bans.keeper import StoredBans
from hubbub.bans.waiting import kept
from hubbub.database import Database
from hubbub.room_clock import SystemClock
from rooms.bans import KEEP_REVOCATIONS_S, Bans
from rooms.errors import Banned, NotKept, Revoked
from rooms.ids import Ids
from tests.harness.eventually import PATIENCE_S

TABLES = ("bans", "bans_revocations")


class Process:
    """A server's bans, for as long as it runs."""

    def __init__(self, path: Path, later_s: float = 0.0) -> None:
        self.database = Database(str(path / "hubbub.db"), durable=False)
        self.later_s = later_s
        keeper = self.keeper = StoredBans(self.database, self.wall)
        counter = itertools.count(time.time_ns())
        self.bans = Bans(self, Ids(lambda size: next(counter).to_bytes(size)), keeper)

    def now(self) -> float:
        return SystemClock().now()

    def wall(self) -> float:
        return time.time() + self.later_s

    async def __aenter__(self) -> "Process":
        await self.database.open([store.SCHEMA])
        await self.keeper.restore(self.bans)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.database.close()


def claims(identity: str) -> Claims:
    return Claims(identity=identity, not_before=time.time() - 100.0)


async def test_they_hold_in_the_next_process(tmp_path: Path) -> None:
    async with Process(tmp_path) as first:
        by_name = first.bans.add(identity="alice", reason="shouting")
        by_address = first.bans.add(room="room", network="203.0.113.0/24", duration_s=3600.0)
        lifted = first.bans.add(identity="carol")
        first.bans.remove(lifted.id)
        first.bans.revoke("room", "bob", time.time() - 50.0)
        first.bans.revoke("room", "bob")
    async with Process(tmp_path) as second:
        assert second.bans.all() == [by_name, by_address]
        with pytest.raises(Revoked):
            second.bans.check("room", claims("bob"), "bob", "")
        with pytest.raises(Banned):
            second.bans.check("elsewhere", claims("alice"), "alice", "")
        with pytest.raises(Banned):
            second.bans.check("room", claims("dora"), "dora", "203.0.113.1")
        second.bans.check("elsewhere", claims("bob"), "bob", "203.0.113.1")


async def test_what_is_over_is_removed(tmp_path: Path) -> None:
    async with Process(tmp_path) as first:
        first.bans.add(identity="alice", duration_s=10.0)
        first.bans.revoke("room", "bob")
    async with Process(tmp_path, later_s=KEEP_REVOCATIONS_S + 100.0) as second:
        assert second.bans.all() == []
        second.bans.check("room", claims("bob"), "bob", "")
        for table in TABLES:
            assert await second.database.run(lambda db, t=table: db.row(f"SELECT count(*) FROM {t}")) == (0,)


async def test_a_ban_holds_even_if_it_can_not_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Process(tmp_path) as process:
        await process.database.run(lambda db: db.execute("DROP TABLE bans"))
        process.bans.add(identity="alice")
        process.bans.revoke("room", "bob")
        with pytest.raises(NotKept):
            await kept(process.bans)
        await kept(process.bans)
        await process.database.close()
        with pytest.raises(Banned):
            process.bans.check("room", claims("alice"), "alice", "")
    assert "can't be written" in capsys.readouterr().out


async def test_who_waits_is_told_when_it_is_on_disk(tmp_path: Path) -> None:
    async with Process(tmp_path) as process:
        await asyncio.wait_for(kept(process.bans), PATIENCE_S)
        disk = threading.Event()
        slow = process.database.submit(lambda _: disk.wait())
        process.bans.add(identity="alice")
        process.bans.revoke("room", "bob")
        waiting = asyncio.ensure_future(kept(process.bans))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        disk.set()
        await waiting
        assert slow.done()
        rows = [
            await process.database.run(lambda db, t=t: db.row(f"SELECT count(*) FROM {t}")) for t in TABLES
        ]
        assert rows == [(1,), (1,)]
