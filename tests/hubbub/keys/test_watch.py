"""A key ring follows its sources while others hold it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from auth.errors import UnknownKey
from auth.grants import Claims
from auth.keys import KeyRing
from auth.tokens import mint
from hubbub.database import Database
from hubbub.keys import SCHEMA, KeyRow, KeyTable, KeyWatch
from tests.harness.listening import listening

SECRET = "s" * 32
OTHER = "t" * 32


@pytest_asyncio.fixture
async def table() -> AsyncIterator[KeyTable]:
    database = Database()
    await database.open([SCHEMA])
    yield KeyTable(database)
    await database.close()


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    later = path.stat().st_mtime_ns + 1
    os.utime(path, ns=(later, later))


async def test_a_changed_key_file_is_read_again(table: KeyTable, tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    write(file, f"one: {SECRET}\n")
    ring = KeyRing({"one": SECRET})
    watch = KeyWatch(ring, table, key_file=str(file))
    write(file, f"two: {OTHER}\nthree: {OTHER}\n")
    await watch.refresh()
    assert list(ring) == ["two", "three"]
    assert ring.first() == ("two", OTHER)


@pytest.mark.parametrize("text", ["one one one", "", "short: secret\n"])
async def test_a_file_that_makes_no_sense_changes_nothing(table: KeyTable, tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.yaml"
    write(file, f"one: {SECRET}\n")
    ring = KeyRing({"one": SECRET})
    watch = KeyWatch(ring, table, key_file=str(file))
    write(file, text)
    await watch.refresh()
    file.unlink()
    await watch.refresh()
    assert ring.secret("one") == SECRET


async def test_keys_of_the_database_come_and_go(table: KeyTable) -> None:
    ring = KeyRing({"own": SECRET})
    watch = KeyWatch(ring, table, interval_s=0.01)
    await watch.start()
    await table.add(KeyRow("more", OTHER, "", 1.0))
    await watch.refresh()
    assert ring.secret("more") == OTHER
    assert ring.first() == ("own", SECRET)
    await table.rotate("more", SECRET, previous_until=2e10)
    await watch.refresh()
    assert ring.secrets("more") == (SECRET, OTHER)
    await table.revoke("more")
    await watch.refresh()
    with pytest.raises(UnknownKey):
        ring.secret("more")
    await watch.stop()


async def test_who_is_asked_for_unknown_keys(table: KeyTable) -> None:
    asked: list[str] = []

    async def find(key: str) -> str | None:
        asked.append(key)
        return {"tenant": SECRET, "weak": "short"}.get(key)

    ring = KeyRing({"own": SECRET})
    watch = KeyWatch(ring, table, find_secret=find)

    async def answer(request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application(middlewares=[watch.ask])
    app.add_routes([web.get("/", answer)])

    def token(key: str) -> str:
        return mint(Claims(identity="ann"), key, SECRET, now=0)

    async with (
        listening(app) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        for key in ("own", "tenant", "tenant", "nobody", "nobody", "weak"):
            async with client.get("/", headers={"Authorization": f"Bearer {token(key)}"}):
                pass
        async with client.get("/", params={"access_token": token("elsewhere")}):
            pass
        async with client.get("/", params={"access_token": "no token"}):
            pass
        async with client.get("/", params={"token": token("json door")}):
            pass
        for basic in (aiohttp.encode_basic_auth("pair", SECRET), "Basic nonsense", "Basic /w=="):
            async with client.get("/", headers={"Authorization": basic}):
                pass
    assert watch.find_key is not None
    for text in (token("message"), token("message"), token("own"), "no token"):
        await watch.find_key(text)
    assert asked == ["tenant", "nobody", "weak", "elsewhere", "json door", "pair", "message"]
    assert ring.secret("tenant") == SECRET
    assert "weak" not in ring
    assert KeyWatch(ring, table).find_key is None
