"""``hubbub keys``."""

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hubbub.errors import ConfigError

from .options import CONFIG_FILE, JSON, config_text, read_duration

if TYPE_CHECKING:
    from hubbub.keys import KeyTable

T = TypeVar("T")


@click.group()
def keys() -> None:
    """Make API keys, and manage those in the server's database.

    What is added, rotated or revoked holds for a running server within seconds.
    """


@keys.command()
@JSON
def generate(*, as_json: bool) -> None:
    """Print a new API key and its secret, as a line for the configuration.

    \b
    Into a key file that nobody else can read:
      (umask 077; hubbub keys generate > keys.yaml)
      hubbub serve --key-file keys.yaml
    """
    from auth.keys import generate as generate_pair

    key, secret = generate_pair()
    _print_pair(key, secret, as_json)
    if sys.stdout.isatty() and not as_json:
        click.echo("Put this line below `keys:` in the configuration, and keep it from others.", err=True)


@keys.command()
@click.option("--name", default="", help="What the key is for.")
@click.option("--key", default="", help="A key of your own choice instead of a new one.")
@CONFIG_FILE
@JSON
def add(*, name: str, key: str, config_file: Path | None, as_json: bool) -> None:
    """Add a new API key to the database; prints it with its secret, which is shown this once."""
    import time

    from auth.keys import generate as generate_pair
    from hubbub.keys import KeyRow

    made, secret = generate_pair()
    row = KeyRow(key or made, secret, name, time.time())
    _in_database(config_file, lambda table: table.add(row))
    _print_pair(row.key, secret, as_json)


@keys.command(name="list")
@CONFIG_FILE
@JSON
def list_(*, config_file: Path | None, as_json: bool) -> None:
    """List the API keys in the database, without their secrets."""
    rows = _in_database(config_file, lambda table: table.all())
    if as_json:
        found = [{"key": row.key, "name": row.name, "created_at": _time(row.created_at)} for row in rows]
        click.echo(json.dumps(found, indent=2))
        return
    for row in rows:
        click.echo(f"{row.key}  {_time(row.created_at)}  {row.name}".rstrip())
    if not rows:
        click.echo("There are none; `hubbub keys add` makes one.", err=True)


@keys.command()
@click.argument("key")
@click.option(
    "--keep",
    "keep_s",
    default="24h",
    show_default=True,
    callback=read_duration,
    help="How long the old secret still holds: 30s, 5m, 24h.",
)
@CONFIG_FILE
@JSON
def rotate(key: str, *, keep_s: float, config_file: Path | None, as_json: bool) -> None:
    """Give an API key a new secret; tokens of the old one hold for a while."""
    import time

    from auth.keys import generate as generate_pair

    _, secret = generate_pair()
    until = time.time() + keep_s
    _in_database(config_file, lambda table: table.rotate(key, secret, until))
    _print_pair(key, secret, as_json)


@keys.command()
@click.argument("key")
@CONFIG_FILE
@JSON
def revoke(key: str, *, config_file: Path | None, as_json: bool) -> None:
    """Forget an API key: no token that it signed lets anybody in or come back. Who is in a room stays."""
    _in_database(config_file, lambda table: table.revoke(key))
    click.echo(json.dumps({"revoked": key}) if as_json else f"{key} is worth nothing any more.")


def _in_database(config_file: Path | None, act: "Callable[[KeyTable], Awaitable[T]]") -> T:
    """Do something with the keys in the database that the configuration names. Raises ConfigError."""
    import asyncio
    import os

    from hubbub.config import load_database
    from hubbub.database import Database
    from hubbub.database.config import MEMORY
    from hubbub.keys import SCHEMA, KeyTable

    path = load_database(config_text(config_file), env=os.environ)
    if path == MEMORY:
        raise ConfigError(["database.path: is in memory, where only the server itself has its keys"])

    async def work() -> T:
        database = Database(path, claim=False)
        await database.open([SCHEMA])
        try:
            return await act(KeyTable(database))
        finally:
            await database.close()

    return asyncio.run(work())


def _print_pair(key: str, secret: str, as_json: bool) -> None:
    pair: dict[str, Any] = {"key": key, "secret": secret}
    click.echo(json.dumps(pair) if as_json else f"{key}: {secret}")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
