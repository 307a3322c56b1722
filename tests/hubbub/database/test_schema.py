"""Tables come and change by migrations, each carried out once."""

from dataclasses import replace
from pathlib import Path

import pytest

from hubbub.database import Database, Schema
from hubbub.errors import StartError

FIRST = Schema("pets", migrations=(("CREATE TABLE pets (name TEXT PRIMARY KEY)",),))
SECOND = replace(
    FIRST,
    migrations=(
        *FIRST.migrations,
        ("ALTER TABLE pets ADD COLUMN legs BIGINT", "UPDATE pets SET legs = 4"),
    ),
)


async def opened(path: Path, *schemas: Schema) -> Database:
    database = Database(str(path))
    await database.open(schemas)
    return database


async def test_each_migration_is_carried_out_once(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    database = await opened(path, FIRST)
    await database.run(lambda db: db.execute("INSERT INTO pets VALUES ('rex')"))
    await database.close()
    for _ in range(2):
        database = await opened(path, SECOND)
        assert await database.run(lambda db: db.rows("SELECT * FROM pets")) == [("rex", 4)]
        await database.close()


async def test_components_have_versions_of_their_own(tmp_path: Path) -> None:
    database = await opened(tmp_path / "a.db", SECOND, Schema("toys", (("CREATE TABLE toys (id TEXT)",),)))
    versions = await database.run(lambda db: db.rows("SELECT * FROM schema_versions ORDER BY component"))
    assert versions == [("pets", 2), ("toys", 1)]
    await database.close()


async def test_tables_of_a_later_version_are_left_alone(tmp_path: Path) -> None:
    await (await opened(tmp_path / "a.db", SECOND)).close()
    with pytest.raises(StartError, match=r"pets are of version 2.*knows 1"):
        await opened(tmp_path / "a.db", FIRST)


async def test_a_migration_that_fails_leaves_nothing_of_itself(tmp_path: Path) -> None:
    broken = replace(FIRST, migrations=(("CREATE TABLE pets (name TEXT)", "this is no SQL"),))
    with pytest.raises(Exception, match="syntax error"):
        await opened(tmp_path / "a.db", broken)
    await (await opened(tmp_path / "a.db", FIRST)).close()
