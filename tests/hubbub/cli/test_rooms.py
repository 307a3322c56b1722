"""``hubbub rooms`` about a server that runs."""

import asyncio
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from livekit import rtc

from hubbub.cli.client import Client, RequestRefused, ServerUnreachable, web_url
from hubbub.errors import ConfigError
from hubbub.testing.server import HubbubServer


async def test_a_room_from_its_creation_to_its_end(terminal: Any, hubbub: HubbubServer) -> None:
    made = await terminal.json(
        "rooms", "create", "kitchen", "--empty-timeout", "1h", "--max-participants", "10", "--metadata", "☕"
    )
    assert (made["name"], made["empty_timeout"], made["max_participants"]) == ("kitchen", 3600, 10)
    assert made["metadata"] == "☕"
    await terminal.says("rooms", "create", "garden", "--departure-timeout", "90")
    assert {room["name"] for room in await terminal.json("rooms", "list")} == {"kitchen", "garden"}
    (garden,) = await terminal.json("rooms", "list", "garden")
    assert garden["departure_timeout"] == 90

    person = rtc.Room()
    await person.connect(hubbub.url, hubbub.token("kitchen", "ann"))
    lines = (await terminal.says("rooms", "list", "kitchen")).splitlines()
    assert lines[1].split()[:5] == ["kitchen", made["sid"], "1", "of", "10"]

    over = asyncio.Event()
    person.on("disconnected", lambda _: over.set())
    assert await terminal.says("rooms", "delete", "kitchen", "garden") == (
        "kitchen has ended.\ngarden has ended.\n"
    )
    await asyncio.wait_for(over.wait(), 5)
    assert await terminal.json("rooms", "list") == []
    assert "There are none." in (await terminal("rooms", "list")).stderr


async def test_what_the_server_refuses_is_said_in_its_words(terminal: Any) -> None:
    error = await terminal.fails("rooms", "delete", "nowhere")
    assert isinstance(error, RequestRefused)
    assert str(error) == "requested room does not exist (not_found)"


async def test_a_key_that_the_server_does_not_have(terminal: Any, hubbub: HubbubServer) -> None:
    error = await terminal.fails("rooms", "list", "--keys", f"strange: {'s' * 32}")
    assert isinstance(error, RequestRefused)
    assert f"http://127.0.0.1:{hubbub.port} refuses the API key strange" in str(error)


async def test_server_and_key_from_a_configuration(
    terminal: Any, hubbub: HubbubServer, tmp_path: Path
) -> None:
    file = tmp_path / "hubbub.yaml"
    file.write_text(f"port: {hubbub.port}\nkeys: {{{hubbub.api_key}: {hubbub.api_secret}}}\n")
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        terminal.variables[name] = None
    assert await terminal.json("rooms", "list", "--config", str(file)) == []
    assert "no API key" in str(await terminal.fails("rooms", "list", "--url", hubbub.url))


def test_a_server_that_is_not_there_is_one_line_and_exit_code_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        ended = subprocess.run(
            [sys.executable, "-m", "hubbub", "rooms", "list", "--dev", "--url", url],
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == f"hubbub: there is no server at {url}: Connection refused\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"", "doesn't answer within 0.3 s"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "is no Hubbub"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>", r"is no Hubbub \(HTTP status 404\)"),
        (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", "is no Hubbub"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "there is no server"),
    ],
    ids=["silence", "a page", "another server", "a redirect", "another protocol"],
)
def test_somebody_else_who_answers(said: bytes, told: str) -> None:
    from auth.grants import VideoGrant

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(said)
                if not said:
                    connection.recv(1)  # until the client has had enough

        thread = threading.Thread(target=serve)
        thread.start()
        client = Client(f"ws://127.0.0.1:{listening.getsockname()[1]}", "devkey", "secret", timeout_s=0.3)
        with pytest.raises(ServerUnreachable, match=told):
            client.room_service("ListRooms", VideoGrant(room_list=True))
        thread.join()


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("ws://localhost:7880", "http://localhost:7880"),
        ("wss://sfu.example.com/", "https://sfu.example.com"),
        ("https://example.com/sfu/", "https://example.com/sfu"),
        ("http://[::1]:7880", "http://[::1]:7880"),
    ],
)
def test_urls_for_websockets_serve_for_requests(given: str, asked: str) -> None:
    assert web_url(given) == asked


@pytest.mark.parametrize(
    "given", ["", "localhost:7880", "ftp://x", "http://", "http://x:99999", "http://[::1"]
)
def test_what_is_no_url(given: str) -> None:
    with pytest.raises(ConfigError, match="is no server's URL"):
        web_url(given)
