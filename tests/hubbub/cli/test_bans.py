"""``hubbub bans`` about a server with people in it."""

from typing import Any

import pytest
from livekit import rtc

from hubbub.cli.client import RequestRefused
from hubbub.testing.server import HubbubServer
from tests.harness.eventually import eventually


async def test_somebody_is_banned_and_forgiven(terminal: Any, hubbub: HubbubServer) -> None:
    gone: list[object] = []
    mallory, token = rtc.Room(), hubbub.token("kitchen", "mallory")
    mallory.on("disconnected", gone.append)
    await mallory.connect(hubbub.url, token)
    ban = await terminal.json(
        "bans", "add", "mallory", "--room", "kitchen", "--for", "24h", "--reason", "noise"
    )
    assert (ban["identity"], ban["room"], ban["reason"]) == ("mallory", "kitchen", "noise")
    await eventually(lambda: gone)
    with pytest.raises(rtc.ConnectError):
        await rtc.Room().connect(hubbub.url, token)
    assert await terminal.json("bans", "list") == [ban]
    assert await terminal.json("bans", "list", "--room", "garden") == []
    assert "mallory" in await terminal.says("bans", "list")
    assert await terminal.json("bans", "remove", ban["id"]) == {"removed": ban["id"]}
    await mallory.connect(hubbub.url, token)
    await mallory.disconnect()
    assert isinstance(await terminal.fails("bans", "remove", ban["id"]), RequestRefused)


async def test_addresses_and_identities_that_look_like_some(terminal: Any) -> None:
    network = await terminal.json("bans", "add", "203.0.113.7/24")
    assert (network["network"], network["identity"], network["expires_at"]) == ("203.0.113.0/24", "", None)
    identity = await terminal.json("bans", "add", "203.0.113.7", "--identity")
    assert (identity["network"], identity["identity"]) == ("", "203.0.113.7")
    assert "for good" in await terminal.says("bans", "list")


@pytest.mark.parametrize("arguments", [(), ("ann", "--for", "ever"), ("ann", "--for", "-5")])
async def test_what_makes_no_sense(terminal: Any, arguments: tuple[str, ...]) -> None:
    assert (await terminal("bans", "add", *arguments)).exit_code == 2
