"""A server in a process of its own, as a test sees it."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .network import Network
from .tokens import access_token

START_WITHIN_S = 20.0
STOP_WITHIN_S = 10.0
PORT_TRIES = 5
_POLL_S = 0.005
HOST = "127.0.0.1"
_HOME = Path(__file__).resolve().parents[2]


class ServerFailed(RuntimeError):
    """The server did not start, or did not end as it should; the text has its log."""


class Nursery:
    """The process that servers are forked from (``hubbub.testing.nursery``)."""

    def __init__(self) -> None:
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        if Path(sysconfig.get_path("purelib")) != _HOME:
            environment["PYTHONPATH"] = str(_HOME)  # a source tree that isn't installed
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "hubbub.testing.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def start(self, options: Mapping[str, object], log: Path, ready: Path) -> int:
        """Start a server; returns its process id."""
        return int(self._ask({"options": options, "log": str(log), "ready": str(ready)})["pid"])

    def status(self, pid: int) -> int | None:
        """The exit status of a server, None while it runs."""
        status = self._ask({"status": pid})["status"]
        return None if status is None else int(status)

    def close(self) -> None:
        """End it, and every server with it."""
        with suppress(BrokenPipeError):
            self._process.communicate()

    def _ask(self, request: Mapping[str, object]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except (BrokenPipeError, ValueError):
            answer = ""
        if not answer:
            raise ServerFailed("`python -P -m hubbub.testing.nursery` does not run; see its output above")
        return json.loads(answer)


class HubbubServer:
    """One server: where it is, tokens for it, what is in its rooms, and its network.

    A context manager: it runs inside the block, and leaving it without an exception raises ServerFailed if the server
    didn't end cleanly or logged a traceback.
    """

    def __init__(
        self,
        nursery: Nursery,
        directory: Path,
        *,
        options: Mapping[str, object] | None = None,
        network: bool = False,
        key: tuple[str, str] | None = None,
    ) -> None:
        self._nursery = nursery
        self._directory = directory
        self._given = dict(options or {})
        self.api_key, self.api_secret = key or ("testkey", secrets.token_hex(32))
        self.port = 0
        self.udp_port = 0
        self.pid = 0
        self.log_path = directory / "server.log"
        self._network = Network() if network else None
        self._starts = 0

    # --- life ---

    def start(self) -> None:
        """Start it, or start it again on the same ports. Raises ServerFailed."""
        for _ in range(PORT_TRIES):
            options = self._options()
            if self._serves(options):
                if self._network is not None:
                    self._network.lead_to(self.udp_port)
                return
            if not self._lost_port(options):
                break
        raise ServerFailed(f"the server did not start; its log:\n{self.log()}")

    def _serves(self, options: Mapping[str, object]) -> bool:
        """Start a process and wait until its ports are open; False if that comes to nothing."""
        ready = self._directory / f"ready-{self._starts}.json"
        self._starts += 1
        self.pid = self._nursery.start(options, self.log_path, ready)
        deadline = time.monotonic() + START_WITHIN_S
        while not ready.exists():
            if self._nursery.status(self.pid) is not None or time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        ports = json.loads(ready.read_text())
        self.port, self.udp_port = ports["port"], ports["udp_port"]
        return True

    def _lost_port(self, options: Mapping[str, object]) -> bool:
        """Whether somebody else took the TCP port for media, which was free when it was chosen."""
        lost = f"can't open TCP port {options['rtc.tcp_port']} " in self.log()
        return lost and "rtc.tcp_port" not in self._given

    def stop(self) -> None:
        """End it gracefully. Raises ServerFailed if it doesn't end well."""
        status = self._end(signal.SIGTERM)
        if status != 0:
            raise ServerFailed(f"the server ended with status {status}; its log:\n{self.log()}")

    def kill(self) -> None:
        """End it at once, as a crash or a power cut would."""
        self._end(signal.SIGKILL)

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return bool(self.pid) and self._nursery.status(self.pid) is None

    def _end(self, how: signal.Signals) -> int:
        if self.running:
            os.kill(self.pid, how)
        deadline = time.monotonic() + STOP_WITHIN_S
        while (status := self._nursery.status(self.pid)) is None:
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise ServerFailed(
                    f"the server did not stop in {STOP_WITHIN_S:.0f} s; its log:\n{self.log()}"
                )
            time.sleep(_POLL_S)
        return status

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None:
                self.kill()
            elif self.running:
                self.stop()
        finally:
            if self._network is not None:
                self._network.close()
        if kind is None and "Traceback (most recent call last)" in self.log():
            raise ServerFailed(f"the server logged a traceback:\n{self.log()}")

    def _options(self) -> dict[str, object]:
        options: dict[str, object] = {
            "development": True,
            "bind_addresses": [HOST],
            "port": self.port,
            "keys": {self.api_key: self.api_secret},
            "rtc.udp_port": self.udp_port,
            "rtc.node_ip": HOST,
        }
        if self._network is not None:
            options |= {"rtc.tcp_port": 0, "rtc.announced_udp_port": self._network.port}
        else:
            options["rtc.tcp_port"] = _free_tcp_port()
        return options | self._given

    # --- what a test asks ---

    @property
    def url(self) -> str:
        """Where clients connect to."""
        return f"ws://{HOST}:{self.port}"

    @property
    def http_url(self) -> str:
        """Where API clients connect to."""
        return f"http://{HOST}:{self.port}"

    @property
    def network(self) -> Network:
        """What is between clients and the server, if it was asked for."""
        if self._network is None:
            raise ServerFailed("ask for the network: @pytest.mark.hubbub(network=True)")
        return self._network

    def token(self, room: str, identity: str, **options: Any) -> str:
        """An access token to join a room; see :func:`hubbub.testing.tokens.access_token` for the options."""
        return access_token(
            self.api_key, self.api_secret, identity, {"room_join": True, "room": room}, **options
        )

    def call(self, method: str, **body: object) -> Any:
        """Call the room service (``call("DeleteRoom", room="kitchen")``) as an administrator; returns its JSON.

        Raises urllib.error.HTTPError with Twirp's JSON for what the server refuses.
        """
        grants = {"room_create": True, "room_list": True, "room_admin": True, "room": body.get("room", "")}
        token = access_token(self.api_key, self.api_secret, "test", grants)
        request = urllib.request.Request(  # noqa: S310 - always http
            f"{self.http_url}/twirp/livekit.RoomService/{method}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def rooms(self) -> list[dict[str, Any]]:
        """What rooms there are."""
        return list(self.call("ListRooms").get("rooms", []))

    def participants(self, room: str) -> list[dict[str, Any]]:
        """Who is in a room; nobody where there is no such room."""
        try:
            return list(self.call("ListParticipants", room=room).get("participants", []))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise

    def log(self) -> str:
        """What the server wrote."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


def _free_tcp_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
