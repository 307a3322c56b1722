"""A whole server that is filled with rooms and people, and tells how long its event loop stood still."""

import asyncio
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from livekit.protocol import room as messages

from auth.grants import Claims, VideoGrant
from hubbub.config import DEV_KEY
from hubbub.server import Server
from rooms.join import JoinRequest
from sfu.engine import Engine
from sfu.tick import Tick
from tests.bench.ledger import Ledger
from tests.bench.whole_server import WholeServer

MANY = 5_000
ONE_ROOM = "many-people"
TICK_S = 0.001
_ENGINE = "engine"
"""What it does when datagrams come, by its timer, and between."""


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

    def __init__(self, engine_s: Callable[[], float]) -> None:
        """``engine_s`` tells the seconds that the engine took so far."""
        self._loop = asyncio.get_running_loop()
        self._engine_s = engine_s
        self._forget()
        self._tick()

    def _forget(self) -> None:
        self._last, self._last_busy = time.perf_counter(), time.thread_time()
        self._last_engine_s = self._engine_s()
        self._longest_s = self._longest_busy_s = self._longest_others_s = 0.0
        self._over = self._turns = 0

    def _tick(self) -> None:
        now, busy = time.perf_counter(), time.thread_time()
        late_s = now - self._last - TICK_S
        self._longest_s = max(self._longest_s, late_s)
        self._longest_busy_s = max(self._longest_busy_s, busy - self._last_busy)
        self._longest_others_s = max(
            self._longest_others_s, late_s - (self._engine_s() - self._last_engine_s)
        )
        self._over += late_s > 0.005
        self._turns += 1
        self._last, self._last_busy, self._last_engine_s = now, busy, self._engine_s()
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


class _ApiMeter:
    """Fills the server, and measures its event loop."""

    def __init__(self) -> None:
        ledger = self._ledger = Ledger(time.perf_counter)
        for name in ("_read", "_go_on", "_keep_house"):
            ledger.follow(_ENGINE, Engine, name)
        ledger.follow(_ENGINE, Tick, "read_reports")

    def begin(self, server: Server) -> None:
        self._server = server
        self._stalls = StallMeter(lambda: self._ledger.seconds[_ENGINE])

    async def answer(self, name: str, *arguments: Any) -> Stalls:
        """``fill`` with so many rooms and people, or ``stalls``."""
        if name == "fill":
            await _fill(self._server, *arguments)
        return self._stalls.take()


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


class ApiServer(WholeServer):
    """The bench's end. A context manager: leaving it ends the process."""

    def __init__(self, core: int) -> None:
        options = {"room.empty_timeout": 3600, "room.departure_timeout": 3600, "limit.max_rooms": MANY}
        super().__init__(core, _ApiMeter, options)

    def fill(self, rooms: int, people: int) -> None:
        """So many rooms in all, one of them (ONE_ROOM) with so many people."""
        self.ask("fill", rooms, people)

    def stalls(self) -> Stalls:
        """Since the last time. Ask once in vain where a new measurement begins."""
        taken: Stalls = self.ask("stalls")
        return taken
