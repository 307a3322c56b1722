"""``hubbub rooms``."""

import json
from typing import Any

import click

from .client import Client, on_server, table
from .options import JSON, read_duration


@click.group()
def rooms() -> None:
    """List, create and delete the rooms of a running server.

    Which server, and with which API key, say --url and --config, or the variables HUBBUB_URL (LIVEKIT_URL),
    LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
    """


@rooms.command(name="list")
@click.argument("names", metavar="[NAME]…", nargs=-1)
@on_server
@JSON
def list_(client: Client, names: tuple[str, ...], *, as_json: bool) -> None:
    """List all rooms, or those named.

    \b
    What goes on at a server that `hubbub serve --dev` started:
      hubbub rooms list --dev
    Names of the rooms that nobody is in:
      hubbub rooms list --json | jq -r '.[] | select(.num_participants == 0).name'
    """
    from auth.grants import VideoGrant

    found = client.room_service("ListRooms", VideoGrant(room_list=True), names=list(names))["rooms"]
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif found:
        rows = [(room["name"], room["sid"], _people(room), _since(room)) for room in found]
        click.echo(table([("NAME", "SID", "PARTICIPANTS", "SINCE"), *rows]))
    else:
        click.echo("There are none.", err=True)


@rooms.command()
@click.argument("name")
@click.option(
    "--empty-timeout", callback=read_duration, default="0", metavar="DURATION",
    help="How long it waits for somebody to come: 30s, 5m.  [default: as configured]",
)  # fmt: skip
@click.option(
    "--departure-timeout", callback=read_duration, default="0", metavar="DURATION",
    help="How long it stays after the last has left.  [default: as configured]",
)  # fmt: skip
@click.option("--max-participants", type=click.IntRange(0), default=0, help="0 for as configured.")
@click.option("--metadata", default="", help="Text of the application's own.")
@on_server
@JSON
def create(
    client: Client,
    name: str,
    *,
    empty_timeout: float,
    departure_timeout: float,
    max_participants: int,
    metadata: str,
    as_json: bool,
) -> None:
    """Create a room; one that exists stays as it is.

    \b
    A room for ten that waits an hour:
      hubbub rooms create kitchen --empty-timeout 1h --max-participants 10 --url https://sfu.example.com
    """
    from auth.grants import VideoGrant

    made = client.room_service(
        "CreateRoom",
        VideoGrant(room_create=True),
        name=name,
        empty_timeout=int(empty_timeout),
        departure_timeout=int(departure_timeout),
        max_participants=max_participants,
        metadata=metadata,
    )
    click.echo(json.dumps(made, ensure_ascii=False) if as_json else f"{made['name']}  {made['sid']}")


@rooms.command()
@click.argument("names", metavar="NAME…", nargs=-1, required=True)
@on_server
@JSON
def delete(client: Client, names: tuple[str, ...], *, as_json: bool) -> None:
    """End rooms for everybody in them.

    \b
    One:
      hubbub rooms delete kitchen
    """
    from auth.grants import VideoGrant

    for name in names:
        client.room_service("DeleteRoom", VideoGrant(room_create=True), room=name)
        click.echo(json.dumps({"deleted": name}, ensure_ascii=False) if as_json else f"{name} has ended.")


def _people(room: dict[str, Any]) -> str:
    most = room["max_participants"]
    return f"{room['num_participants']} of {most}" if most else str(room["num_participants"])


def _since(room: dict[str, Any]) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(int(room["creation_time"]), UTC).isoformat(timespec="seconds")
