"""A stock ``livekit-agents`` worker as a process, in the environment that ``make test`` installs it into."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.harness.eventually import eventually
from tests.harness.server import REPOSITORY, Server

PYTHON = Path(sys.prefix) / "agents" / "bin" / "python"
"""Has livekit-agents; see ``requirements-agents.in``."""
START_WITHIN_S = 60.0
"""It imports a lot, on a machine that may be busy."""
TELL_WITHIN_S = 40.0
"""A job may need a process of its own first, which imports as much."""
STOP_WITHIN_S = 20.0
IDLE, FULL = 0.1, 0.95
"""Loads below and above the threshold of ``tests.harness.agent_worker``."""


class AgentProcess:
    """One worker: what it has said, and what load it is to report."""

    def __init__(self, process: asyncio.subprocess.Process, load: Path) -> None:
        self._process = process
        self._load = load
        self.lines: list[dict[str, Any]] = []
        """What it printed in JSON: its own log, and what :mod:`tests.harness.agent_worker` tells."""
        self._other: list[str] = []
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self._other.append(line.decode(errors="replace"))

    def told(self, event: str, **about: Any) -> list[dict[str, Any]]:
        """Every event of that name so far, with these details."""
        return [
            line
            for line in self.lines
            if line.get("event") == event and all(line.get(name) == value for name, value in about.items())
        ]

    async def tells(self, event: str, *, within_s: float = TELL_WITHIN_S, **about: Any) -> dict[str, Any]:
        """Wait for the first such event."""
        found = await eventually(
            lambda: self.told(event, **about), self._missing(event, about), within_s=within_s
        )
        return found[0]

    async def registers(self) -> None:
        """Wait until the server has taken it."""

        def registered() -> bool:
            assert self._process.returncode is None, f"it ended: {self._other[-20:]}"
            return any(line.get("message") == "registered worker" for line in self.lines)

        await eventually(registered, self._missing("registered", {}), within_s=START_WITHIN_S)

    @property
    def id(self) -> str:
        """What the server calls it."""
        return next(line["id"] for line in self.lines if line.get("message") == "registered worker")

    def report(self, load: float) -> None:
        """Have it report another load from now on (within 3 s)."""
        self._load.write_text(str(load))

    def drain(self) -> None:
        """Have it finish its jobs and end."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a chance to say goodbye."""
        self._process.kill()

    async def ends(self, *, within_s: float = STOP_WITHIN_S) -> None:
        await asyncio.wait_for(self._process.wait(), within_s)

    async def stop(self) -> None:
        """End it and every process of its jobs."""
        if self._process.returncode is None:
            self.kill()
            await self.ends()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._reader

    def _missing(self, event: str, about: dict[str, Any]) -> Callable[[], str]:
        def text() -> str:
            known = [line for line in self.lines if "event" in line] or self.lines
            return f"{event} {about} among {known}; {''.join(self._other[-20:])}"

        return text


@asynccontextmanager
async def agent_process(
    server: Server, directory: Path, kind: str, name: str = "", *, load: float = IDLE
) -> AsyncIterator[AgentProcess]:
    """A registered worker for jobs of that kind (``room``, ``publisher``, ``participant``)."""
    assert PYTHON.exists(), f"no {PYTHON}: `make test` installs livekit-agents there"
    load_file = directory / f"load-{len(list(directory.iterdir()))}"
    load_file.write_text(str(load))
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY),
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "AGENT_TYPE": kind,
        "AGENT_NAME": name,
        "AGENT_LOAD": str(load_file),
    }
    process = await asyncio.create_subprocess_exec(
        PYTHON,
        "-m",
        "tests.harness.agent_worker",
        "start",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=1 << 20,
    )
    worker = AgentProcess(process, load_file)
    try:
        await worker.registers()
        yield worker
    finally:
        await worker.stop()
