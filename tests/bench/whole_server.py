"""A whole server in a process of its own, pinned to its core, with something in it that measures."""

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, Protocol

import uvloop

from hubbub.config import configure
from hubbub.logging import set_up_logging
from hubbub.server import Server
from sfu import gc_policy
from tests.bench.engine_process import take_core

_OPTIONS = {
    "development": True,
    "bind_addresses": ["127.0.0.1"],
    "port": 0,
    "rtc.udp_port": 0,
    "rtc.tcp_port": 0,
    "rtc.node_ip": "127.0.0.1",
    "logging.level": "error",
}
_STOP_S = 5.0


class Meter(Protocol):
    """Made in the server's process before there is a server, whose parts it may replace."""

    def begin(self, server: Server) -> None:
        """The server runs, and so does the event loop."""

    async def answer(self, name: str, *arguments: Any) -> Any:
        """Do what the bench asks for."""


class WholeServer:
    """The bench's end. A context manager: leaving it ends the process."""

    def __init__(self, core: int, meter: Callable[[], Meter], options: Mapping[str, object]) -> None:
        """``meter`` must be importable; ``options`` come on top of those that every bench has."""
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(
            target=_main, args=(other, core, meter, {**_OPTIONS, **options}), name="server", daemon=True
        )

    def __enter__(self) -> "WholeServer":
        self._process.start()
        self.port, self.pid = self._connection.recv()
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.send(("stop",))
        self._process.join(_STOP_S)
        self._process.kill()
        self._connection.close()

    def ask(self, *request: object) -> Any:
        """What the meter answers."""
        self._connection.send(request)
        return self._connection.recv()


def _main(
    connection: Connection, core: int, meter: Callable[[], Meter], options: Mapping[str, object]
) -> None:
    take_core(core)
    uvloop.run(_serve(connection, meter(), options))


async def _serve(connection: Connection, meter: Meter, options: Mapping[str, object]) -> None:
    config = configure(options)
    set_up_logging(config.logging)
    async with Server(config) as server:
        gc_policy.settle()
        meter.begin(server)
        readable = asyncio.Event()
        asyncio.get_running_loop().add_reader(connection.fileno(), readable.set)
        connection.send((server.port, os.getpid()))
        while True:
            await readable.wait()
            readable.clear()
            while connection.poll():
                name, *arguments = connection.recv()
                if name == "stop":
                    return
                connection.send(await meter.answer(name, *arguments))
