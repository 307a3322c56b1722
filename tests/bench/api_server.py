"""A whole server in a process of its own, pinned to its core, which tells how long its event loop stood still."""

import asyncio
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import uvloop
from livekit.protocol import room as messages

from auth.grants import Claims, VideoGrant
from hubbub.config import DEV_KEY, configure
from hubbub.server import Server
from rooms.join import JoinRequest
from sfu import gc_policy
from sfu.engine import Engine
from sfu.tick import Tick
from tests.bench.engine_process import take_core

MANY = 5_000
ONE_ROOM = "many-people"
TICK_S = 0.001
_STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class Stalls:
    """Since the last time it was asked for."""

    longest_ms: float
    """Between two turns of the event loop that were to be a millisecond apart."""
    longest_busy_ms: float
    """CPU time of the loop between two such turns: what of a stall is its own doing."""
    others_ms: float
    """The longest stall but for what the engine itself did in it: how long media waited for something else."""
    over_5_ms: int
    turns: int
    cpu_s: float
    """Of the whole process."""
    at: float


class StallMeter:
    """Wants to be called every millisecond, and notes how late that is."""

    def __init__(self, engine_s: list[float]) -> None:
        """``engine_s`` has the seconds that the engine took so far."""
        self._loop = asyncio.get_running_loop()
        self._engine_s = engine_s
        self._forget()
        self._tick()

    def _forget(self) -> None:
        self._last, self._last_busy = time.perf_counter(), time.thread_time()
        self._last_engine_s = self._engine_s[0]
        self._longest_s = self._longest_busy_s = self._longest_others_s = 0.0
        self._over = self._turns = 0

    def _tick(self) -> None:
        now, busy = time.perf_counter(), time.thread_time()
        late_s = now - self._last - TICK_S
        self._longest_s = max(self._longest_s, late_s)
        self._longest_busy_s = max(self._longest_busy_s, busy - self._last_busy)
        self._longest_others_s = max(
            self._longest_others_s, late_s - (self._engine_s[0] - self._last_engine_s)
        )
        self._over += late_s > 0.005
        self._turns += 1
        self._last, self._last_busy, self._last_engine_s = now, busy, self._engine_s[0]
        self._loop.call_later(TICK_S, self._tick)

    def take(self) -> Stalls:
        """What was seen since the last time."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu_s = usage.ru_utime + usage.ru_stime
        taken = Stalls(
            1e3 * self._longest_s,
            1e3 * self._longest_busy_s,
            1e3 * self._longest_others_s,
            self._over,
            self._turns,
            cpu_s,
            time.monotonic(),
        )
        self._forget()
        return taken


class _Nobody:
    """The signal connection of somebody who doesn't listen (``rooms.ports.SignalSink``)."""

    def send(self, response: Any) -> None: ...

    def close(self, code: int = 1000) -> None: ...


async def _serve(connection: Connection, options: dict[str, object]) -> None:
    engine_s = _timed_engine()
    async with Server(configure(options)) as server:
        gc_policy.settle()
        meter = StallMeter(engine_s)
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
                if name == "fill":
                    await _fill(server, *arguments)
                connection.send(meter.take())


def _timed_engine() -> list[float]:
    """Let every engine made from now on add up its time: when datagrams come, by its timer, and between."""
    spent_s = [0.0]

    def timed(work: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*arguments: Any) -> Any:
            started_at, before_s = time.perf_counter(), spent_s[0]
            try:
                return work(*arguments)
            finally:  # one may call another
                spent_s[0] = before_s + time.perf_counter() - started_at

        return measured

    for name in ("_read", "_go_on", "_keep_house"):
        setattr(Engine, name, timed(getattr(Engine, name)))
    Tick.read_reports = timed(Tick.read_reports)  # type: ignore[method-assign]
    return spent_s


async def _fill(server: Server, rooms: int, people: int) -> None:
    """Make rooms, and one more with people in it who have no media."""
    for number in range(rooms - 1):
        server.administration.create_room(f"room-{number:04}", messages.RoomConfiguration())
    for number in range(people):
        claims = Claims(
            identity=f"person-{number:04}",
            name=f"Person {number}",
            issuer=DEV_KEY,
            video=VideoGrant(room_join=True, room=ONE_ROOM, can_publish=True),
        )
        server._rooms.join(JoinRequest(claims), _Nobody())
        await asyncio.sleep(0)


def _main(connection: Connection, core: int, options: dict[str, object]) -> None:
    take_core(core)
    uvloop.run(_serve(connection, options))


class ApiServer:
    """The bench's end. A context manager: leaving it ends the process."""

    def __init__(self, core: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        options = {
            "development": True,
            "bind_addresses": ["127.0.0.1"],
            "port": 0,
            "rtc.udp_port": 0,
            "rtc.tcp_port": 0,
            "rtc.node_ip": "127.0.0.1",
            "room.empty_timeout": 3600,
            "room.departure_timeout": 3600,
            "limit.max_rooms": MANY,
            "logging.level": "error",
        }
        self._process = context.Process(target=_main, args=(other, core, options), name="server", daemon=True)

    def __enter__(self) -> "ApiServer":
        self._process.start()
        self.port, self.pid = self._connection.recv()
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.send(("stop",))
        self._process.join(_STOP_S)
        self._process.kill()
        self._connection.close()

    def fill(self, rooms: int, people: int) -> None:
        """So many rooms in all, one of them (ONE_ROOM) with so many people."""
        self._ask("fill", rooms, people)

    def stalls(self) -> Stalls:
        """Since the last time. Ask once in vain where a new measurement begins."""
        return self._ask("stalls")

    def _ask(self, *request: object) -> Stalls:
        self._connection.send(request)
        answer: Stalls = self._connection.recv()
        return answer
