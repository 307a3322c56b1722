"""``hubbub token``."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .options import CONFIG_FILE, KEY_FILE, KEYS, read_duration, signing_pair

if TYPE_CHECKING:
    from auth.grants import VideoGrant

Command = TypeVar("Command", bound=Callable[..., Any])

SOURCES = ("camera", "microphone", "screen_share", "screen_share_audio")
KINDS = ("standard", "ingress", "egress", "sip", "agent", "connector", "bridge")


@click.group()
def token() -> None:
    """Make access tokens."""


def _flag(name: str, text: str) -> Callable[[Command], Command]:
    return click.option(name, is_flag=True, help=text)


@token.command()
@click.option("--room", default="", help="Room that the token is for.")
@click.option("--identity", required=True, help="Who its holder is; unique in the room.")
@click.option("--name", default="", help="Name that others see.")
@click.option("--metadata", default="", help="Text of the application's own.")
@click.option(
    "--attribute", "attributes", metavar="KEY=VALUE", multiple=True, help="May be given several times."
)
@click.option("--kind", type=click.Choice(KINDS), help="What sort of participant.  [default: standard]")
@click.option(
    "--ttl",
    callback=read_duration,
    metavar="DURATION",
    default="6h",
    show_default=True,
    help="How long it can be used to join.",
)
@_flag("--no-join", "Not for joining, only for the server API.")
@_flag("--no-publish", "No camera, microphone, screen or data of its own.")
@click.option("--source", "sources", type=click.Choice(SOURCES), multiple=True, help="Publish only this.")
@_flag("--no-publish-data", "No data messages.")
@_flag("--no-subscribe", "Nothing of others.")
@_flag("--update-own-metadata", "Change one's own name, metadata and attributes.")
@_flag("--hidden", "Others don't see that it is there.")
@_flag("--recorder", "Is a recorder.")
@_flag("--agent", "May register as an agent worker.")
@_flag("--admin", "Administer the room and the people in it.")
@_flag("--create", "Create and delete rooms.")
@_flag("--list", "List rooms.")
@_flag("--record", "Start and stop recordings.")
@_flag("--dev", "Sign with `devkey`, for `hubbub serve --dev`.")
@KEYS
@KEY_FILE
@CONFIG_FILE
@click.option("--url", metavar="URL", help="The server's address; prints a link to join by.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with all that a client needs.")
def create(
    *, identity: str, ttl: float, config_file: Path | None, url: str | None, as_json: bool, **flags: Any
) -> None:
    """Make an access token and print it.

    It is signed with the first API key in --keys or --key-file, else in variables (HUBBUB_KEYS, LIVEKIT_KEYS,
    or LIVEKIT_API_KEY with LIVEKIT_API_SECRET), else in the configuration. The server must have it too.

    \b
    A link for the server that `hubbub serve --dev` started:
      hubbub token create --dev --room kitchen --identity ann --url http://localhost:7880
    Somebody who listens only, for one hour:
      hubbub token create --config hubbub.yaml --room kitchen --identity bob --no-publish --ttl 1h
    Somebody who calls the server API:
      hubbub token create --config hubbub.yaml --identity ops --no-join --create --list --admin --room kitchen
    """
    from auth.grants import Claims
    from auth.tokens import mint

    if not flags["no_join"] and not flags["room"]:
        raise click.UsageError("a token to join with needs --room; without one, say --no-join")
    key, secret = signing_pair(config_file, keys=flags["keys"], key_file=flags["key_file"], dev=flags["dev"])
    claims = Claims(
        identity=identity,
        name=flags["name"],
        kind=flags["kind"] or "",
        metadata=flags["metadata"],
        attributes=_attributes(flags["attributes"]),
        video=_grant(flags),
    )
    now = time.time()
    signed = mint(claims, key, secret, ttl_s=ttl, now=now)
    link = None if url is None else join_link(url, signed)
    if as_json:
        answer = {"token": signed, "identity": identity, "room": flags["room"], "expires_at": int(now + ttl)}
        click.echo(
            json.dumps(answer | ({} if link is None else {"url": url, "link": link}), ensure_ascii=False)
        )
    else:
        click.echo(link or signed)


def join_link(url: str, signed: str) -> str:
    """A link to the page of a server, with a token that stays in the browser: it is in the fragment."""
    for scheme, web in (("ws://", "http://"), ("wss://", "https://")):
        if url.startswith(scheme):
            url = web + url.removeprefix(scheme)
    return f"{url.rstrip('/')}/#token={signed}"


def _grant(flags: dict[str, Any]) -> "VideoGrant":
    from auth.grants import VideoGrant

    return VideoGrant(
        room_join=not flags["no_join"],
        room=flags["room"],
        can_publish=False if flags["no_publish"] else None,
        can_publish_sources=flags["sources"],
        can_publish_data=False if flags["no_publish_data"] else None,
        can_subscribe=False if flags["no_subscribe"] else None,
        can_update_own_metadata=flags["update_own_metadata"],
        hidden=flags["hidden"],
        recorder=flags["recorder"],
        agent=flags["agent"],
        room_admin=flags["admin"],
        room_create=flags["create"],
        room_list=flags["list"],
        room_record=flags["record"],
    )


def _attributes(pairs: tuple[str, ...]) -> dict[str, str]:
    attributes = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint="--attribute")
        attributes[key] = value
    return attributes
