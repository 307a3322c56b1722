"""``hubbub bans``."""

import ipaddress
import json
from typing import Any

import click

from .client import Client, on_server, table
from .options import JSON, read_duration


def _whole_seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    return None if value is None else int(read_duration(ctx, param, value))


@click.group()
def bans() -> None:
    """List, add and lift the bans of a running server.

    Which server, and with which API key, say --url and --config, or the variables HUBBUB_URL (LIVEKIT_URL),
    LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
    """


@bans.command(name="list")
@click.option("--room", help="Only those of this room; those of all rooms are not among them.")
@on_server
@JSON
def list_(client: Client, *, room: str | None, as_json: bool) -> None:
    """List who is kept out, the oldest ban first.

    \b
    Of a server that `hubbub serve --dev` started:
      hubbub bans list --dev
    """
    query = {} if room is None else {"room": room}
    found = client.rest("GET", "bans", _grant(), query=query)["bans"]
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif found:
        click.echo(table([("ID", "WHO", "ROOM", "UNTIL", "REASON"), *map(_row, found)]))
    else:
        click.echo("Nobody is banned.", err=True)


@bans.command()
@click.argument("who", metavar="IDENTITY|NETWORK")
@click.option("--room", help="Only from this room.  [default: from all]")
@click.option(
    "--for", "duration_s", callback=_whole_seconds, help="How long: 30m, 24h.  [default: until it is lifted]"
)
@click.option("--reason", default="", help="For whoever reads the list; the banned are not told.")
@click.option(
    "--identity", "is_identity", is_flag=True, help="It is an identity, though it looks like an address."
)
@on_server
@JSON
def add(
    client: Client,
    who: str,
    *,
    room: str | None,
    duration_s: int | None,
    reason: str,
    is_identity: bool,
    as_json: bool,
) -> None:
    """Keep somebody out, and put them out if they are there: an identity, an address, or a network.

    \b
    Mallory, out of the kitchen for a day:
      hubbub bans add mallory --room kitchen --for 24h
    A whole network, everywhere:
      hubbub bans add 203.0.113.0/24 --reason spam
    """
    kind = "network" if _is_network(who) and not is_identity else "identity"
    given = {kind: who, "room": room, "duration_s": duration_s, "reason": reason}
    body = {name: value for name, value in given.items() if value is not None}
    made = client.rest("POST", "bans", _grant(), body=body)
    click.echo(json.dumps(made, ensure_ascii=False) if as_json else f"{made['id']}  {who} is banned.")


@bans.command()
@click.argument("ids", metavar="ID…", nargs=-1, required=True)
@on_server
@JSON
def remove(client: Client, ids: tuple[str, ...], *, as_json: bool) -> None:
    """Lift bans. Tokens that a removal revoked stay worth nothing.

    \b
    One, whose id `hubbub bans list` says:
      hubbub bans remove BN_abcdefghijkl
    """
    from urllib.parse import quote

    for one in ids:
        client.rest("DELETE", f"bans/{quote(one, safe='')}", _grant())
        click.echo(json.dumps({"removed": one}, ensure_ascii=False) if as_json else f"{one} is lifted.")


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _grant() -> Any:
    from auth.grants import VideoGrant

    return VideoGrant(room_create=True)


def _row(ban: dict[str, Any]) -> tuple[str, ...]:
    who = ban["identity"] or ban["network"]
    return (ban["id"], who, ban["room"] or "all", ban["expires_at"] or "for good", ban["reason"])
