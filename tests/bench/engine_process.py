"""The engine in a process of its own, pinned to its core, driven over a pipe."""

import asyncio
import gc
import os
import resource
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import reduction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

from sfu import control, gc_policy
from sfu.config import MediaConfig
from sfu.control import Event
from sfu.net.srtp import SrtpKeys
from sfu.pool import LocalPool
from sfu.snapshot import Loss
from tests.bench.floor import Floor, Recorder
from tests.bench.sampler import Pause, Pauses, Sampler, Stack

_FOR_SETUP = (
    control.AnswerReady,
    control.NegotiationFailed,
    control.TransportFailed,
    control.TransportConnected,
    control.SubscriptionRefused,
    control.TrackStarted,
    control.TrackBound,
)
_SETTLE_S = 0.02
_PRIORITY = -20
_AUTOGROUP = Path("/proc/self/autogroup")


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters of the engine's process since its start."""

    user_s: float
    system_s: float
    packets: int
    octets: int
    calls: int
    lost: Mapping[Loss, int]
    """What it has dropped, all reasons."""
    rss_bytes: int
    others_s: float
    """CPU time that others have had on the engine's core: processes, interrupts, and the hypervisor."""
    at: float
    """The machine's monotonic clock."""


class EngineProcess:
    """Answers one request at a time; each is a tuple of its name and arguments."""

    def __init__(self, connection: Connection, received: Any, config: MediaConfig) -> None:
        self._connection = connection
        self._received = received
        self._events: list[Event] = []
        self._pool = LocalPool(config, self._on_event)
        self._recorder: Recorder | None = None
        self._floor: Floor | None = None
        self._sampler = Sampler()
        self._pauses = Pauses()

    async def run(self) -> None:
        await self._pool.start()
        gc_policy.settle()  # as `hubbub serve` does
        port = self._pool.engine.ports[0]
        self._connection.send(port.port)
        reduction.send_handle(self._connection, port.fileno, os.getppid())
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._connection.fileno(), readable.set)
        os.set_blocking(self._connection.fileno(), True)  # libuv only polls; large answers must not fail
        while True:
            await readable.wait()
            readable.clear()
            while self._connection.poll():
                name, *arguments = self._connection.recv()
                if name == "stop":
                    await self._pool.close()
                    return
                self._connection.send(await getattr(self, f"_{name}")(*arguments))

    def _on_event(self, event: Event) -> None:
        if isinstance(event, _FOR_SETUP):
            self._events.append(event)

    async def _execute(self, commands: Sequence[control.Command]) -> list[Event]:
        for command in commands:
            self._pool.execute(command)
        await asyncio.sleep(_SETTLE_S)
        events, self._events = self._events, []
        return events

    async def _key(self, keys: dict[control.TransportId, SrtpKeys]) -> None:
        for transport_id, pair in keys.items():
            self._pool.engine.transports[transport_id].keyed(pair)

    async def _stats(self) -> Stats:
        counters = self._pool.engine.egress.counters
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Stats(
            usage.ru_utime,
            usage.ru_stime,
            counters.packets,
            counters.octets,
            counters.calls,
            self._pool.snapshot().lost,
            _rss_bytes(),
            _core_s(min(os.sched_getaffinity(0))) - usage.ru_utime - usage.ru_stime,
            time.monotonic(),
        )

    async def _record(self) -> None:
        engine = self._pool.engine
        senders = engine.egress._sender, engine.outbox._sender
        self._recorder = Recorder(sender for sender in senders if sender is not None)

    async def _prepare_floor(self) -> tuple[float, float]:
        """End the recording; returns datagrams per system call and per message in it, zeros if none was batched."""
        assert self._recorder is not None
        batches = self._recorder.stop()
        if not batches:
            return 0.0, 0.0
        self._floor = Floor(batches)
        return self._floor.shape

    async def _run_floor(self, datagrams: int, window: int) -> tuple[int, float]:
        assert self._floor is not None
        return self._floor.run(datagrams, window, self._received)

    async def _sample(self) -> None:
        self._sampler.start()

    async def _samples(self) -> dict[Stack, float]:
        return self._sampler.stop()

    async def _take_pauses(self) -> list[Pause]:
        return self._pauses.take()


def serve(connection: Connection, received: Any, config: MediaConfig, core: int) -> None:
    """Entry point of the process."""
    take_core(core)
    uvloop.run(EngineProcess(connection, received, config).run())


def _rss_bytes() -> int:
    with open("/proc/self/statm") as statm:  # noqa: PTH123
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def become_generator(core: int) -> None:
    """Take a core, and collect no garbage there: a generator that pauses would look like an engine that does."""
    take_core(core)
    gc.disable()


def take_core(core: int) -> None:
    """Pin this process to a core, and go before others there where that is allowed."""
    with suppress(OSError):  # there may be fewer cores
        os.sched_setaffinity(0, {core})
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
        _AUTOGROUP.write_text(str(_PRIORITY))  # where sessions share the processor, it is theirs that counts


def _core_s(core: int) -> float:
    """Seconds that a core has not been idle."""
    with open("/proc/stat") as stat:  # noqa: PTH123
        line = next(line for line in stat if line.startswith(f"cpu{core} "))
    user, nice, system, _idle, _io_wait, irq, soft_irq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + soft_irq + steal) / os.sysconf("SC_CLK_TCK")
