"""Beside a real LiveKit: both servers started on this machine, and ``hubbub compare`` put before them.

LiveKit's program is what LIVEKIT_SERVER names, or ``livekit-server`` where that is found; without it there is nothing
to measure. Both servers may use all cores, and share them with the generator.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfu.config import MediaConfig
from tests.bench.machine import ROOT
from tests.bench.scene import Progress

VARIABLE = "LIVEKIT_SERVER"
HOST = "127.0.0.1"
OURS, OTHER = "Hubbub", "LiveKit"
START_S = 20.0
STOP_S = 10.0
_POLL_S = 0.1
_LOG_BYTES = 2000
_CORES = os.sched_getaffinity(0)
"""Before the bench has taken one of them for itself."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What ``hubbub compare`` has found."""

    loads: dict[str, dict[str, Any]]
    """By name: title, ratio, our losses (``lost``), and each server's figures (``hubbub``, ``livekit``)."""
    memory_ratio: float | None
    """What ours has grown by for each participant, in what the other has."""
    join_median_ms: float


def livekit_server() -> Path | None:
    """LiveKit's program on this machine. Raises RuntimeError where the variable names none."""
    named = os.environ.get(VARIABLE)
    found = shutil.which(named or "livekit-server")
    if named and not found:
        raise RuntimeError(f"{VARIABLE} names no program: {named}")
    return Path(found) if found else None


def measure(config: MediaConfig, progress: Progress, options: Sequence[str] = ()) -> Beside | None:
    """Compare both, with these options of ``hubbub compare``; None if there is no LiveKit here."""
    program = livekit_server()
    if program is None:
        progress(f"left out, as there is no livekit-server; {VARIABLE} may name one")
        progress("done")
        return None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        progress("starting both servers")
        command, ours_at = _our_command(config)
        ours = stack.enter_context(_running(command, ours_at, folder / "ours.log"))
        command, other_at = _other_command(program)
        other = stack.enter_context(_running(command, other_at, folder / "other.log"))
        output = folder / "compared.json"
        command = [sys.executable, "-m", "hubbub", "compare", "--output", str(output), *options]
        command += ["--url", f"ws://{HOST}:{ours_at}", "--server-pid", str(ours), "--name", OURS]
        command += ["--against-url", f"ws://{HOST}:{other_at}", "--against-pid", str(other)]
        last_words = _compare([*command, "--against-name", OTHER], progress)
        if not output.exists():
            raise RuntimeError(f"hubbub compare gave no figures: {last_words}")
        found = json.loads(output.read_text())
    progress("done")
    return result(found)


def result(found: Mapping[str, Any]) -> Beside:
    """The figures of a document that ``hubbub compare`` has written."""
    first = found["loads"][0]
    return Beside(
        {
            load["name"]: {
                "title": load["title"],
                "ratio": load["ratio"],
                "lost": sum(summary["lost"] for summary in load["rounds"][OURS]),
                "hubbub": load[OURS],
                "livekit": load[OTHER],
            }
            for load in found["loads"]
        },
        first["memory_ratio"],
        1000 * first[OURS]["join_median_s"],
    )


def _our_command(config: MediaConfig) -> tuple[list[str], int]:
    port, udp_port = _free_ports(2)
    command = [sys.executable, "-m", "hubbub", "serve", "--dev", "--bind", HOST, "--port", str(port)]
    switches = {"RTC_USE_GSO": config.use_gso, "RTC_USE_SENDMMSG": config.use_sendmmsg}
    variables = [f"HUBBUB_{name}={str(on).lower()}" for name, on in switches.items()]
    return ["env", *variables, *command, "--udp-port", str(udp_port), "--tcp-port", "0"], port


def _other_command(program: Path) -> tuple[list[str], int]:
    port, udp_port, tcp_port = _free_ports(3)
    rtc = f"rtc: {{tcp_port: {tcp_port}}}"
    command = [str(program), "--dev", "--bind", HOST, "--config-body", rtc]
    return [*command, "--port", str(port), "--udp-port", str(udp_port)], port


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        socks = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind((HOST, 0))
        return [sock.getsockname()[1] for sock in socks]


@contextmanager
def _running(command: Sequence[str], port: int, log: Path) -> Iterator[int]:
    """A server's process id once it answers. Raises RuntimeError with its log when it doesn't."""
    with log.open("wb") as file:
        process = _start(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                told = log.read_bytes()[-_LOG_BYTES:].decode(errors="replace")
                raise RuntimeError(f"{' '.join(command)} does not answer; its log:\n{told}")
            time.sleep(_POLL_S)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _compare(command: Sequence[str], progress: Progress) -> str:
    """Run it and pass on what it is doing; returns the last of that."""
    process = _start(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    last = ""
    try:
        assert process.stderr is not None
        for line in process.stderr:
            last = line.strip() or last
            progress(last)
        process.wait()
    finally:
        process.kill()
    return last


def _start(command: Sequence[str], **streams: Any) -> "subprocess.Popen[Any]":
    """An ordinary process on all cores, whatever this one has become."""
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, preexec_fn=_ordinary, **streams)


def _ordinary() -> None:
    os.sched_setaffinity(0, _CORES)
    os.setpriority(os.PRIO_PROCESS, 0, 0)
