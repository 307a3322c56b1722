"""The server under test, as a process of its own.

By default :func:`running_server` starts ``python -P -m hubbub serve --dev`` on free ports of the loopback. To
develop these tests, or to see how LiveKit itself behaves, name a server that already runs, such as
``HUBBUB_TEST_PEER_URL=ws://127.0.0.1:7980``, its API key in ``HUBBUB_TEST_PEER_KEY`` and the key's secret in
``HUBBUB_TEST_PEER_SECRET``.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from livekit import api

REPOSITORY = Path(__file__).resolve().parents[2]
START_WITHIN_S = 20.0
STOP_WITHIN_S = 10.0


@dataclass(frozen=True)
class Server:
    """Where the server is, the key it accepts, and what it logs."""

    url: str
    """WebSocket URL without a path."""
    api_key: str
    api_secret: str
    is_hubbub: bool
    log_path: Path | None = None
    """Standard output and error of the process; None when it is not ours."""

    @property
    def http_url(self) -> str:
        return self.url.replace("ws", "http", 1)

    def token(
        self,
        room: str,
        identity: str,
        *,
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        kind: str = "standard",
        ttl_s: float = 3600,
        **grants: Any,
    ) -> str:
        """An access token to join ``room``; ``grants`` are fields of ``livekit.api.VideoGrants``."""
        video = api.VideoGrants(**({"room_join": True, "room": room} | grants))
        token = api.AccessToken(self.api_key, self.api_secret).with_identity(identity).with_grants(video)
        token = token.with_name(name).with_metadata(metadata).with_attributes(dict(attributes or {}))
        return str(token.with_kind(kind).with_ttl(timedelta(seconds=ttl_s)).to_jwt())

    def log(self, since: int = 0) -> str:
        """What the server wrote after byte ``since``; empty when its log is not ours."""
        return self.log_path.read_bytes()[since:].decode(errors="replace") if self.log_path else ""

    def log_size(self) -> int:
        return self.log_path.stat().st_size if self.log_path else 0


@contextmanager
def running_server(log_path: Path, *flags: str) -> Iterator[Server]:
    """Start Hubbub with ``flags`` and stop it at the end, or give the server that the environment names.

    Raises RuntimeError with the log when it does not become healthy, or does not stop with status 0.
    """
    if peer_url := os.environ.get("HUBBUB_TEST_PEER_URL"):
        key, secret = os.environ["HUBBUB_TEST_PEER_KEY"], os.environ["HUBBUB_TEST_PEER_SECRET"]
        yield Server(peer_url, key, secret, is_hubbub=False)
        return
    port = _free_port(socket.SOCK_STREAM)
    media = ("--udp-port", _free_port(socket.SOCK_DGRAM), "--tcp-port", _free_port(socket.SOCK_STREAM))
    command = [sys.executable, "-P", "-m", "hubbub", "serve", "--dev", "--port", port, *media, *flags]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    server = Server(f"ws://127.0.0.1:{port}", "devkey", "secret", is_hubbub=True, log_path=log_path)
    try:
        _wait_for_health(server, process)
    except BaseException:
        process.kill()
        process.wait()
        raise
    try:
        yield server
    finally:
        _stop(server, process)


def _free_port(kind: socket.SocketKind) -> str:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _wait_for_health(server: Server, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(server.http_url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise RuntimeError(f"the server is not healthy (status {process.poll()}); its log:\n{server.log()}")


def _stop(server: Server, process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise RuntimeError(
            f"the server did not stop in {STOP_WITHIN_S} s; its log:\n{server.log()}"
        ) from None
    if status != 0:
        raise RuntimeError(f"the server ended with status {status}; its log:\n{server.log()}")
