"""What is remembered of rooms, after their end and after the server's."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from livekit.protocol import models

from hubbub.database import Database, DatabaseUnavailable
from hubbub.history import recorder
from hubbub.history import service as module
from hubbub.history.config import HistoryConfig
from hubbub.history.errors import NoSuchRoom
from hubbub.history.service import History
from hubbub.history.store import SCHEMA
from rooms.administration import Administration
from tests.harness.eventually import PATIENCE_S, eventually
from tests.harness.rooms import WALL_S, House
from tests.harness.webhooks import Wall


def in_2023() -> Wall:
    """About when guests of a House live."""
    wall = Wall()
    wall.ahead_s = WALL_S + 1000.0 - time.time()
    return wall


@asynccontextmanager
async def remembering(
    path: str = ":memory:", wall: Wall | None = None, **options: float
) -> AsyncIterator[History]:
    database = Database(path)
    await database.open([SCHEMA])
    history = History(HistoryConfig(**options), database, wall or in_2023())
    try:
        await history.start()
        yield history
    finally:
        await history.close()
        await database.close()


def house_of(history: History) -> House:
    house = House(observer=history.observer)
    # The model's clock is the one that participants joined by.
    history.observer._wall = house.clock.wall
    return house


def call(house: House, name: str = "room") -> str:
    """Ten seconds of Ann, five of Bob beside her, and an agent; Ann publishes; Eve never connects. The room's sid."""
    ann = house.join("ann", name).connect()
    ann.publish("mic")
    ann.publish("cam", models.CAMERA)
    sid = ann.session.room.sid
    house.advance(5.0)
    bob = house.join("bob", name).connect()
    house.join("helper", name, claims={"kind": "agent"}).connect()
    house.join("eve", name).drop_signal()
    house.advance(4.5)
    house.service.room(name).sessions["helper"].leave(models.CLIENT_INITIATED)
    house.advance(0.5)
    ann.session.leave(models.CLIENT_INITIATED)
    bob.session.leave(models.PARTICIPANT_REMOVED)
    house.advance(25.0)
    return sid


async def written(history: History) -> None:
    await history._write()


async def test_a_room_is_remembered_with_its_figures() -> None:
    async with remembering() as history:
        house = house_of(history)
        sid = call(house)
        await written(history)
        room = await history.room(sid)
        assert (room.name, room.peak, room.sessions, room.identities, room.tracks) == ("room", 2, 3, 3, 2)
        assert room.ended_at is not None
        assert room.ended_at - room.started_at == pytest.approx(30.0, abs=0.1)
        assert room.participant_s == pytest.approx(10 + 5 + 4.5, abs=0.1)
        assert not room.lost


async def test_who_came_and_why_they_left() -> None:
    async with remembering() as history:
        sid = call(house_of(history))
        await written(history)
        people = (await history.participants(sid)).records
        assert {(who.identity, who.kind, who.connected, who.reason) for who in people} == {
            ("ann", "STANDARD", True, "CLIENT_INITIATED"),
            ("bob", "STANDARD", True, "PARTICIPANT_REMOVED"),
            ("helper", "AGENT", True, "CLIENT_INITIATED"),
            ("eve", "STANDARD", False, "SIGNAL_CLOSE"),
        }
        assert people[0].identity == "ann"
        tracks = (await history.tracks(sid)).records
        assert [(track.kind, track.source, track.identity) for track in tracks] == [
            ("AUDIO", "MICROPHONE", "ann"),
            ("VIDEO", "CAMERA", "ann"),
        ]
        assert all(track.ended_at is not None and track.ended_at > track.published_at for track in tracks)


async def test_a_room_that_goes_on_is_listed_without_an_end() -> None:
    async with remembering() as history:
        house = house_of(history)
        house.join("ann").connect()
        await written(history)
        (room,) = (await history.rooms()).records
        assert room.ended_at is None
        (ann,) = (await history.participants(room.sid)).records
        assert ann.left_at is None


async def test_somebody_who_is_moved_is_listed_in_both_rooms() -> None:
    async with remembering() as history:
        house = house_of(history)
        ann = house.join("ann", "here").connect()
        ann.publish("mic")
        house.join("bob", "there").connect()
        here, there = ann.session.room.sid, house.service.room("there").sid
        Administration(house.service).move_participant("here", "ann", "there")
        house.pump()
        await written(history)
        (before,) = (await history.tracks(here)).records
        (after,) = (await history.tracks(there)).records
        assert before.sid == after.sid
        assert before.ended_at is not None
        assert after.ended_at is None
        assert {who.identity for who in (await history.participants(there)).records} == {"ann", "bob"}


async def test_pages_and_names() -> None:
    async with remembering() as history:
        house = house_of(history)
        for number in range(7):
            call(house, f"room-{number % 2}")
        await written(history)
        page = await history.rooms(limit=3)
        shown = list(page.records)
        while page.next_page:
            page = await history.rooms(limit=3, page=page.next_page)
            shown += page.records
        assert [room.name for room in shown] == [f"room-{number % 2}" for number in reversed(range(7))]
        assert len((await history.rooms(name="room-1")).records) == 3
        first = await history.participants(shown[0].sid, limit=3)
        rest = await history.participants(shown[0].sid, limit=3, page=first.next_page)
        assert len(first.records) + len(rest.records) == 4
        assert not rest.next_page


@pytest.mark.parametrize("page", ["nonsense", "nan~", "1e999~x", "~", "' OR 1=1"])
async def test_a_page_that_is_none_is_harmless(page: str) -> None:
    async with remembering() as history:
        call(house_of(history))
        await written(history)
        assert len((await history.rooms(page=page)).records) <= 1
        with pytest.raises(NoSuchRoom):
            await history.tracks(page)


async def test_writing_happens_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_EVERY_S", 0.02)
    async with remembering() as history:
        house = house_of(history)
        for _ in range(2):
            sid = call(house)

            async def there(sid: str = sid) -> bool:
                return any(room.sid == sid for room in (await history.rooms()).records)

            await eventually(there)


async def test_closing_writes_what_is_left(tmp_path: Path) -> None:
    path = str(tmp_path / "hubbub.db")
    async with remembering(path) as history:
        sid = call(house_of(history))
    async with remembering(path) as history:
        assert (await history.room(sid)).sessions == 3


async def test_what_a_killed_process_left_open_is_ended(tmp_path: Path) -> None:
    path = str(tmp_path / "hubbub.db")
    async with remembering(path) as history:
        house = house_of(history)
        ann = house.join("ann").connect()
        ann.publish("mic")
        await written(history)
    async with remembering(path) as history:
        (room,) = (await history.rooms()).records
        assert room.lost
        assert room.ended_at is not None
        assert (room.sessions, room.identities, room.tracks) == (1, 1, 1)
        (who,) = (await history.participants(room.sid)).records
        assert (who.reason, who.left_at) == ("SERVER_LOST", room.ended_at)
        assert (await history.tracks(room.sid)).records[0].ended_at == room.ended_at


async def test_old_rooms_are_forgotten_with_all_that_was_in_them() -> None:
    wall = in_2023()
    async with remembering(wall=wall, keep_s=3600.0) as history:
        sid = call(house_of(history))
        await written(history)
        await history._purge()
        assert await history.room(sid)
        wall.ahead_s += 3700.0
        await history._purge()
        assert (await history.rooms()).records == ()
        for table in ("history_participants", "history_tracks"):
            rows = await history._database.run(lambda db, table=table: db.rows(f"SELECT * FROM {table}"))
            assert rows == []


async def test_the_oldest_go_when_there_are_too_many() -> None:
    async with remembering(max_rows=1) as history:
        house = house_of(history)
        call(house)
        house.join("ann", "goes on").connect()
        await written(history)
        await history._purge()
        assert [room.name for room in (await history.rooms()).records] == ["goes on"]


async def test_a_disk_that_is_full_for_a_while_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with remembering() as history:
        submit = history._database.submit

        def refuse(work):
            future = asyncio.get_running_loop().create_future()
            future.set_exception(DatabaseUnavailable("disk full"))
            return future

        sid = call(house_of(history))
        monkeypatch.setattr(history._database, "submit", refuse)
        with pytest.raises(DatabaseUnavailable):
            await history._write()
        monkeypatch.setattr(history._database, "submit", submit)
        await history._write()
        assert (await history.room(sid)).peak == 2


async def test_what_waits_in_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MAX_UNWRITTEN", 3)
    async with remembering() as history:
        house = house_of(history)
        sid = call(house)
        call(house, "no place for it")
        assert history.observer.forgotten
        await written(history)
        assert (await history.room(sid)).sessions == 3
        assert len((await history.rooms()).records) == 1


@pytest.mark.parametrize("turns", range(4))
async def test_it_ends_while_something_is_due(turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_EVERY_S", 0.0)
    async with asyncio.timeout(PATIENCE_S), remembering() as history:
        house = house_of(history)
        ann = house.join("ann").connect()
        await eventually(lambda: not history.observer.changes)
        await asyncio.sleep(0.05)  # it waits for more now, as a room goes on
        ann.session.room.close(models.ROOM_DELETED)
        for _ in range(turns):
            await asyncio.sleep(0)
