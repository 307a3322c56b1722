"""The bench's end of the engine's process."""

import multiprocessing
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import reduction
from typing import Any

from sfu.config import MediaConfig
from sfu.control import Command, Event, TransportId
from sfu.net.srtp import SrtpKeys
from tests.bench.engine_process import Stats, serve
from tests.bench.sampler import Pause, Stack
from tests.bench.waiting import WaitingRoom

_STOP_S = 5.0


class RemoteEngine:
    """Commands are collected and sent by :meth:`flush`; every other call is a request with an answer."""

    def __init__(self, config: MediaConfig, core: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.received: Any = context.Value("Q", 0, lock=False)
        """Datagrams that the sink has taken, for the floor to keep within its window."""
        self._connection, other = context.Pipe()
        self._process = context.Process(
            target=serve, args=(other, self.received, config, core), name="engine", daemon=True
        )
        self._process.start()
        self.port: int = self._connection.recv()
        self.waiting = WaitingRoom(reduction.recv_handle(self._connection))
        self._commands: list[Command] = []

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def execute(self, command: Command) -> None:
        self._commands.append(command)

    def flush(self) -> Sequence[Event]:
        """Carry out what was collected; returns the events that came of it, and those since the last time."""
        commands, self._commands = self._commands, []
        return self._ask("execute", commands)  # type: ignore[no-any-return]

    def key(self, keys: dict[TransportId, SrtpKeys]) -> None:
        self._ask("key", keys)

    def stats(self) -> Stats:
        return self._ask("stats")  # type: ignore[no-any-return]

    def record(self) -> None:
        """Keep what the engine sends from now on, for the floor."""
        self._ask("record")

    def prepare_floor(self) -> tuple[float, float]:
        """Make the floor of what was recorded; returns datagrams per batch and per message in it."""
        return self._ask("prepare_floor")  # type: ignore[no-any-return]

    def run_floor(self, datagrams: int, window: int, meanwhile: Callable[[], None]) -> tuple[int, float]:
        """Run the floor, calling ``meanwhile`` until it is done; returns datagrams and CPU seconds."""
        self._connection.send(("run_floor", datagrams, window))
        while not self._connection.poll():
            meanwhile()
        return self._connection.recv()  # type: ignore[no-any-return]

    def sample(self) -> None:
        """Look where the engine is from now on."""
        self._ask("sample")

    def samples(self) -> dict[Stack, float]:
        """Stop looking; returns the CPU seconds of each stack that was seen."""
        return self._ask("samples")  # type: ignore[no-any-return]

    def pauses(self) -> list[Pause]:
        """Garbage collections since the last time."""
        return self._ask("take_pauses")  # type: ignore[no-any-return]

    def stop(self) -> None:
        with suppress(OSError):
            self._connection.send(("stop",))
        self._process.join(_STOP_S)
        self._process.kill()
        self.waiting.close()
        self._connection.close()

    def _ask(self, *request: object) -> Any:
        self._connection.send(request)
        return self._connection.recv()
