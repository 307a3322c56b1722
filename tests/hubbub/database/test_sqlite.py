"""Files that can't be used as a database end the start with a reason."""

import asyncio
from pathlib import Path

import pytest

from hubbub.database import Database, Schema
from hubbub.errors import StartError

SCHEMA = Schema("notes", (("CREATE TABLE notes (n INTEGER)",),))


@pytest.fixture
def unwritable(tmp_path: Path) -> str:
    (tmp_path / "file").write_text("no folder")
    return str(tmp_path / "file" / "hubbub.db")


async def test_a_place_that_can_not_be_written(unwritable: str) -> None:
    with pytest.raises(StartError, match="can't be written"):
        await Database(unwritable).open()


async def test_a_read_only_file_system() -> None:
    """As root permissions stop nobody, but nobody makes files in /proc."""
    with pytest.raises(StartError, match=r"can't be written.*database\.path"):
        await Database("/proc/hubbub/hubbub.db").open()


async def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="can't be written"):
        await Database(str(tmp_path)).open()


async def test_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "hubbub.db"
    path.write_bytes(b"not a database at all, but long enough to have a header" * 100)
    with pytest.raises(StartError, match="not a database"):
        await Database(str(path)).open()
    assert path.read_bytes().startswith(b"not a database")


async def test_a_file_that_another_server_uses(tmp_path: Path) -> None:
    path = str(tmp_path / "hubbub.db")
    first, second = Database(path), Database(path)
    await first.open()
    with pytest.raises(StartError, match="in use by another"):
        await second.open()
    await first.close()
    await second.open()
    await second.close()


async def test_a_command_writes_beside_a_server(tmp_path: Path) -> None:
    path = str(tmp_path / "hubbub.db")
    server, command = Database(path), Database(path, claim=False)
    await server.open([SCHEMA])
    await command.open([SCHEMA])
    await asyncio.gather(
        *(
            database.run(lambda db: db.execute("INSERT INTO notes VALUES (1)"))
            for database in (server, command) * 20
        )
    )
    await command.close()
    assert await server.run(lambda db: db.row("SELECT count(*) FROM notes")) == (40,)
    await server.close()


async def test_closing_twice_or_before_opening_is_harmless() -> None:
    database = Database()
    await database.close()
    await database.open()
    await database.close()
    await database.close()
