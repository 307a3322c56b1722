"""API keys in the database."""

from pathlib import Path

import pytest

from hubbub.database import Database
from hubbub.keys import SCHEMA, KeyRow, KeyTable
from hubbub.keys.errors import KeyExists, NoSuchKey


async def open_table(path: Path) -> tuple[Database, KeyTable]:
    database = Database(str(path / "test.db"))
    await database.open([SCHEMA])
    return database, KeyTable(database)


async def test_a_key_is_added_rotated_and_revoked(tmp_path: Path) -> None:
    database, table = await open_table(tmp_path)
    await table.add(KeyRow("key", "first", "for tests", 1.0))
    await table.rotate("key", "second", previous_until=100.0)
    (row,) = await table.all()
    assert (row.key, row.name, row.created_at) == ("key", "for tests", 1.0)
    assert row.secrets(99.0) == ("second", "first")
    assert row.secrets(100.0) == ("second",)
    await table.revoke("key")
    assert await table.all() == []
    await database.close()


async def test_keys_outlive_the_process(tmp_path: Path) -> None:
    database, table = await open_table(tmp_path)
    await table.add(KeyRow("key", "secret", "", 1.0))
    await database.close()
    database, table = await open_table(tmp_path)
    assert [row.key for row in await table.all()] == ["key"]
    await database.close()


async def test_what_is_not_there_or_there_already_is_said(tmp_path: Path) -> None:
    database, table = await open_table(tmp_path)
    await table.add(KeyRow("key", "secret", "", 1.0))
    with pytest.raises(KeyExists, match="hubbub keys rotate key"):
        await table.add(KeyRow("key", "other", "", 2.0))
    with pytest.raises(NoSuchKey):
        await table.rotate("none", "x", 0.0)
    with pytest.raises(NoSuchKey):
        await table.revoke("none")
    await database.close()
