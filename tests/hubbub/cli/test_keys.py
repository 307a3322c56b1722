"""``hubbub keys`` on the database of a configuration."""

import asyncio
import json
import time
import urllib.error
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from livekit import rtc

from hubbub.cli import hubbub
from hubbub.errors import ConfigError, HubbubError
from hubbub.testing.server import HubbubServer
from tests.harness.eventually import PATIENCE_S


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    file = tmp_path / "hubbub.yaml"
    file.write_text(f"data_directory: {tmp_path}\n")
    return ["--config", str(file)]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(hubbub, ["keys", *arguments])
    if isinstance(result.exception, HubbubError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_key_from_its_making_to_its_end(config: list[str]) -> None:
    made = json.loads(run("add", "--name", "the app", "--json", *config))
    assert len(made["secret"]) >= 32
    (listed,) = json.loads(run("list", "--json", *config))
    assert (listed["key"], listed["name"]) == (made["key"], "the app")
    rotated = json.loads(run("rotate", made["key"], "--keep", "1h", "--json", *config))
    assert rotated["secret"] != made["secret"]
    assert json.loads(run("revoke", made["key"], "--json", *config)) == {"revoked": made["key"]}
    assert json.loads(run("list", "--json", *config)) == []


def test_secrets_are_shown_once(config: list[str]) -> None:
    key, _, secret = run("add", *config).strip().partition(": ")
    assert secret
    assert secret not in run("list", *config)
    assert key in run("list", *config)


def test_a_key_of_ones_own_choice(config: list[str]) -> None:
    assert run("add", "--key", "mine", *config).startswith("mine: ")
    with pytest.raises(HubbubError, match="there is an API key mine already"):
        run("add", "--key", "mine", *config)


def test_a_database_in_memory_has_no_keys_to_manage(tmp_path: Path) -> None:
    file = tmp_path / "dev.yaml"
    file.write_text("development: true\n")
    with pytest.raises(ConfigError, match=r"database\.path: is in memory"):
        run("list", "--config", str(file))


def test_a_running_server_heeds_them(config: list[str], tmp_path: Path, start_hubbub: Any) -> None:
    server = start_hubbub(options={"database.path": str(tmp_path / "hubbub.db"), "key_reload_s": 0.1})
    made = json.loads(run("add", "--json", *config))
    own = server.api_key, server.api_secret
    server.api_key, server.api_secret = made["key"], made["secret"]
    wait_until(server, lets_in=True)
    server.api_secret = json.loads(run("rotate", made["key"], "--keep", "1h", "--json", *config))["secret"]
    wait_until(server, lets_in=True)
    run("revoke", made["key"], *config)
    wait_until(server, lets_in=False)
    server.api_key, server.api_secret = own
    assert server.rooms() == []


async def test_who_is_in_a_room_stays_there_without_the_key(
    config: list[str], tmp_path: Path, start_hubbub: Any
) -> None:
    """Fault 87: it opens no more doors, and ends no call."""
    server = start_hubbub(options={"database.path": str(tmp_path / "hubbub.db"), "key_reload_s": 0.1})
    own = server.api_key, server.api_secret
    made = json.loads(await asyncio.to_thread(run, "add", "--json", *config))
    server.api_key, server.api_secret = made["key"], made["secret"]
    await asyncio.to_thread(wait_until, server, lets_in=True)
    ann, token = rtc.Room(), server.token("kitchen", "ann")
    gone: list[object] = []
    ann.on("disconnected", gone.append)
    await ann.connect(server.url, token)
    await asyncio.to_thread(run, "revoke", made["key"], *config)
    await asyncio.to_thread(wait_until, server, lets_in=False)
    with pytest.raises(rtc.ConnectError):
        await rtc.Room().connect(server.url, token)
    server.api_key, server.api_secret = own
    assert [one["identity"] for one in server.participants("kitchen")] == ["ann"]
    await ann.local_participant.publish_data("still here")
    assert gone == []
    await ann.disconnect()


def wait_until(server: HubbubServer, *, lets_in: bool) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while (status(server) == 200) != lets_in:
        assert time.monotonic() < deadline, "the server doesn't heed it"
        time.sleep(0.02)


def status(server: HubbubServer) -> int:
    try:
        server.rooms()
    except urllib.error.HTTPError as error:
        return error.code
    return 200
