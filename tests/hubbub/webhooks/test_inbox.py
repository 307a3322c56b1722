"""Events wait in order while the database can't be written, and one that never can be stops no other."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from livekit.protocol import models, webhook

from hubbub.database import Database, DatabaseUnavailable
from hubbub.webhooks import inbox as module
from hubbub.webhooks import queue
from hubbub.webhooks.inbox import Inbox
from hubbub.webhooks.queue import Accepted
from tests.harness.eventually import eventually

NUMBERS = itertools.count(1)


class FullAtTimes(Database):
    """A database that refuses while it is ``full``."""

    full = False
    refused = 0

    def submit(self, work):
        if not self.full:
            return super().submit(work)
        self.refused += 1
        future = asyncio.get_running_loop().create_future()
        future.set_exception(DatabaseUnavailable("disk full"))
        return future


@pytest_asyncio.fixture
async def database(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FullAtTimes]:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    made = FullAtTimes()
    await made.open([queue.SCHEMA])
    yield made
    await made.close()


def event(name: str) -> Accepted:
    number = next(NUMBERS)
    told = webhook.WebhookEvent(event=name, id=f"EV_{number}", room=models.Room(name="r"))
    return Accepted(told, float(number), ((number, "target"),))


async def written(database: Database) -> list[str]:
    parcels = await database.run(lambda db: queue.next_parcels(db, "target", "r", 1000))
    return [parcel.event for parcel in parcels]


async def test_what_comes_during_a_write_is_written_next_and_told_once(database: FullAtTimes) -> None:
    told: list[int] = []
    inbox = Inbox(database, lambda batch: told.append(len(batch)))
    for name in "abc":
        assert inbox.put(event(name))
    await inbox.close()
    assert await written(database) == ["a", "b", "c"]
    assert told == [1, 2]


async def test_a_full_disk_loses_nothing_and_keeps_the_order(database: FullAtTimes) -> None:
    inbox = Inbox(database, lambda batch: None)
    database.full = True
    for name in "abc":
        inbox.put(event(name))
    await eventually(lambda: database.refused > 2)
    database.full = False
    inbox.put(event("d"))

    async def all_there() -> bool:
        return await written(database) == ["a", "b", "c", "d"]

    await eventually(all_there)


async def test_there_is_an_end_to_what_waits_in_memory(
    database: FullAtTimes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_UNWRITTEN", 2)
    inbox = Inbox(database, lambda batch: None)
    database.full = True
    assert [inbox.put(event(name)) for name in "abc"] == [True, True, False]
    await inbox.close()


async def test_an_event_that_can_not_be_written_is_left_out(database: FullAtTimes) -> None:
    inbox = Inbox(database, lambda batch: None)
    first, poisoned, last = event("a"), event("twice"), event("b")
    for item in (first, poisoned, poisoned, last):
        inbox.put(item)
    await inbox.close()
    assert await written(database) == ["a", "twice", "b"]
