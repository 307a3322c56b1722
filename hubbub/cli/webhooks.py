"""``hubbub webhooks``."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import click

from .client import Client, on_server, table
from .options import JSON

PAGE = 200
"""Deliveries that are asked for at a time: as many as the server gives."""


@click.group()
def webhooks() -> None:
    """List the webhooks of a running server, and send them again.

    Which server, and with which API key, say --url and --config, or the variables HUBBUB_URL (LIVEKIT_URL),
    LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
    """


@webhooks.command(name="list")
@click.option("--state", type=click.Choice(["pending", "delivered", "dead"]), help="Only these.")
@click.option("--target", help="Only those to this receiver, by its name or URL as the list has it.")
@click.option("--room", help="Only those about this room.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many."
)
@on_server
@JSON
def list_(
    client: Client, *, state: str | None, target: str | None, room: str | None, limit: int, as_json: bool
) -> None:
    """List deliveries, the latest first.

    \b
    What could not be delivered:
      hubbub webhooks list --state dead
    """
    wanted = {"state": state, "target": target, "room": room}
    found = list(islice(_deliveries(client, {k: v for k, v in wanted.items() if v is not None}), limit))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif found:
        click.echo(table([("ID", "EVENT", "ROOM", "TARGET", "STATE", "TRIES", "LAST"), *map(_row, found)]))
    else:
        click.echo("There are none.", err=True)


@webhooks.command()
@click.argument("ids", metavar="[ID]…", nargs=-1)
@click.option("--dead", metavar="TARGET", help="All dead letters of this receiver.")
@on_server
@JSON
def replay(client: Client, ids: tuple[str, ...], *, dead: str | None, as_json: bool) -> None:
    """Send deliveries again: those of these ids, or all dead letters of a receiver.

    \b
    One, whose id `hubbub webhooks list` says:
      hubbub webhooks replay 1763742577123456
    Everything that a receiver missed while it was broken:
      hubbub webhooks replay --dead billing
    """
    from urllib.parse import quote

    if bool(ids) == (dead is not None):
        raise click.UsageError("say either which ids, or --dead and a receiver")
    if dead is not None:
        done = client.rest("POST", "webhooks/replay", _grant(), body={"target": dead})
        click.echo(json.dumps(done) if as_json else f"{done['replayed']} are sent again.")
        return
    for one in ids:
        again = client.rest("POST", f"webhooks/deliveries/{quote(one, safe='')}/replay", _grant())
        click.echo(json.dumps(again, ensure_ascii=False) if as_json else f"{one} is sent again.")


def _deliveries(client: Client, wanted: dict[str, str]) -> Iterator[dict[str, Any]]:
    """All of them, page by page."""
    page = ""
    while True:
        query = wanted | {"limit": str(PAGE)} | ({"page": page} if page else {})
        answer = client.rest("GET", "webhooks/deliveries", _grant(), query=query)
        yield from answer["deliveries"]
        page = answer["next_page"]
        if not page:
            return


def _grant() -> Any:
    from auth.grants import VideoGrant

    return VideoGrant(room_create=True)


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    last = one["error"] or (f"HTTP {one['status']}" if one["status"] else "")
    return (one["id"], one["event"], one["room"], one["target"], one["state"], str(one["attempts"]), last)
