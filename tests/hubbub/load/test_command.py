"""``hubbub load`` as it is called: mistakes, refusals, and (interop) a whole test against the server."""

import json
import os
import pty
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hubbub.cli import hubbub
from hubbub.load.errors import LoadError
from tests.harness.server import REPOSITORY, Server


def run(*arguments: str) -> Result:
    return CliRunner().invoke(hubbub, ["load", *arguments])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--url"),
        (("--url", "localhost:7880"), "is no ws://"),
        (("--url", "ftp://localhost"), "is no ws://"),
        (("--url", "ws://x", "--publishers", "0", "--subscribers", "0"), "nobody would join"),
        (("--url", "ws://x", "--ramp", "5s", "--join-rate", "3"), "give one of them"),
        (("--url", "ws://x", "--duration", "long"), "--duration"),
        (("--url", "ws://x", "--resolution", "8k"), "--resolution"),
    ],
)
def test_mistakes_are_told(arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_a_server_that_is_not_there() -> None:
    result = run("--url", "ws://127.0.0.1:9")
    assert isinstance(result.exception, LoadError)
    assert "ws://127.0.0.1:9 can't be reached" in str(result.exception)


def test_a_server_that_is_something_else() -> None:
    class NotFound(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), NotFound) as other:
        thread = Thread(target=other.serve_forever)
        thread.start()
        result = run("--url", f"ws://127.0.0.1:{other.server_port}")
        other.shutdown()
        thread.join()
    assert isinstance(result.exception, LoadError)
    assert "has no /rtc/v1" in str(result.exception)


def start(server: Server, *arguments: str, **streams: Any) -> "subprocess.Popen[str]":
    keys = ("--api-key", server.api_key, "--api-secret", server.api_secret)
    command = [sys.executable, "-P", "-m", "hubbub", "load", "--url", server.url, *keys, *arguments]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, **streams)


@pytest.mark.interop
def test_a_wrong_secret_is_told_at_once(server: Server) -> None:
    secret = ("--api-key", server.api_key, "--api-secret", "x" * 40)
    result = run("--url", server.url, *secret, "--subscribers", "1000")
    assert isinstance(result.exception, LoadError)
    assert "status 401" in str(result.exception)


@pytest.mark.interop
@pytest.mark.parametrize(
    ("flags", "streams"), [(("--subscribe-all",), 24), (("--no-simulcast", "--verify-all"), 16)]
)
def test_everything_sent_is_received(server: Server, room: str, flags: tuple[str, ...], streams: int) -> None:
    shape = ("--rooms", "2", "--publishers", "2", "--subscribers", "2", "--resolution", "360p")
    with start(server, "--room-prefix", room, *shape, *flags, "--duration", "3", "--json") as process:
        output, _ = process.communicate(timeout=60)
    summary = json.loads(output)
    assert process.returncode == 0, output
    assert (summary["joined"], summary["failures"]) == (8, {})
    assert summary["streams"] == summary["streams_expected"] == streams
    assert summary["authenticated"] > 0
    assert summary["forged"] == 0
    assert summary["loss_percent"] < 1
    assert summary["received"]["packets"] > summary["sent"]["packets"]
    assert 0 < summary["join"]["median_s"] < 10


@pytest.mark.interop
def test_ctrl_c_prints_what_was_measured(server: Server, room: str) -> None:
    terminal, its_end = pty.openpty()
    arguments = ("--room-prefix", room, "--subscribers", "1", "--duration", "1h", "--json")
    with start(server, *arguments, stderr=its_end) as process:
        shown = b""
        while b" 1 of 3600 s" not in shown:
            shown += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    os.close(terminal)
    os.close(its_end)
    assert b"joining" in shown
    summary = json.loads(output)
    assert process.returncode == 130
    assert summary["interrupted"] is True
    assert summary["joined"] == 2
    assert summary["received"]["packets"] > 0
