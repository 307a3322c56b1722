"""``hubbub participants``."""

import json
from typing import Any

import click

from .client import Client, RequestRefused, on_server, table
from .options import JSON


@click.group()
def participants() -> None:
    """List, remove and mute the people in a room of a running server.

    Which server, and with which API key, say --url and --config, or the variables HUBBUB_URL (LIVEKIT_URL),
    LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
    """


@participants.command(name="list")
@click.argument("room")
@on_server
@JSON
def list_(client: Client, room: str, *, as_json: bool) -> None:
    """List who is in a room, and what they publish.

    \b
    Who is in the kitchen of a server that `hubbub serve --dev` started:
      hubbub participants list kitchen --dev
    """
    from auth.grants import VideoGrant

    # An absent room has no participants, which isn't the same as an empty one to somebody at a terminal.
    if not client.room_service("ListRooms", VideoGrant(room_list=True), names=[room])["rooms"]:
        raise RequestRefused(f"there is no room {room}")
    found = client.room_service("ListParticipants", _administration(room), room=room)["participants"]
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif found:
        rows = [(who["identity"], who["name"], who["state"].lower(), _tracks(who)) for who in found]
        click.echo(table([("IDENTITY", "NAME", "STATE", "PUBLISHES"), *rows]))
    else:
        click.echo("Nobody is there.", err=True)


@participants.command()
@click.argument("room")
@click.argument("identity")
@on_server
@JSON
def remove(client: Client, room: str, identity: str, *, as_json: bool) -> None:
    """Put somebody out of a room.

    \b
    Bob, out of the kitchen:
      hubbub participants remove kitchen bob
    """
    client.room_service("RemoveParticipant", _administration(room), room=room, identity=identity)
    done = {"removed": identity, "room": room}
    click.echo(json.dumps(done, ensure_ascii=False) if as_json else f"{identity} is out of {room}.")


@participants.command()
@click.argument("room")
@click.argument("identity")
@click.option("--track", metavar="SID", help="Only this track.  [default: all that it publishes]")
@click.option(
    "--unmute", is_flag=True, help="The other way round, where room.enable_remote_unmute allows it."
)
@on_server
@JSON
def mute(client: Client, room: str, identity: str, *, track: str | None, unmute: bool, as_json: bool) -> None:
    """Mute what somebody publishes.

    \b
    Everything of Bob's:
      hubbub participants mute kitchen bob
    One track, whose sid `hubbub participants list kitchen` says:
      hubbub participants mute kitchen bob --track TR_AMabcdefghijkl
    """
    grant = _administration(room)
    who = client.room_service("GetParticipant", grant, room=room, identity=identity)
    sids = [track] if track else [published["sid"] for published in who["tracks"]]
    muted = [
        client.room_service(
            "MutePublishedTrack", grant, room=room, identity=identity, track_sid=sid, muted=not unmute
        )["track"]
        for sid in sids
    ]
    if None in muted:
        raise RequestRefused(f"{identity} publishes no track {track}")
    if as_json:
        click.echo(json.dumps(muted, indent=2, ensure_ascii=False))
        return
    for one in muted:
        click.echo(f"{one['sid']} ({_kind(one)}) is {'muted' if one['muted'] else 'heard again'}.")
    if not muted:
        click.echo(f"{identity} publishes nothing.", err=True)


def _administration(room: str) -> Any:
    from auth.grants import VideoGrant

    return VideoGrant(room_admin=True, room=room)


def _tracks(who: dict[str, Any]) -> str:
    return ", ".join(
        f"{track['sid']} ({_kind(track)}{', muted' if track['muted'] else ''})" for track in who["tracks"]
    )


def _kind(track: dict[str, Any]) -> str:
    """Its source, else audio or video."""
    source = track["source"].lower()
    return str(track["type"].lower() if source == "unknown" else source)
