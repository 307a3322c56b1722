"""Where a whole server's CPU time goes in real time, under the loads that servers are compared by.

``python -m tests.bench.parts [load …]``; see docs/performance.md. What ``tests.bench.profile`` says of an engine at its
limit does not hold for one at a tenth of it: everything is done for fewer packets at once, and is cold.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import sfu.intake
import sfu.net.egress
from hubbub.load.compare import JOINS_PER_S
from hubbub.load.comparison import LOADS, Load
from hubbub.server import Server
from sfu.engine import Engine
from sfu.mux import Mux
from sfu.net.outbox import Outbox
from sfu.peer.feedback import Feedback
from sfu.tick import Tick
from signaling.websocket import MessageSocket
from tests.bench.engine_process import take_core
from tests.bench.ledger import Ledger
from tests.bench.scene import ENGINE_CORE, GENERATOR_CORE, Progress
from tests.bench.settings import progress_of
from tests.bench.whole_server import Meter, WholeServer

WINDOW_S = 15.0
CALM_S = 3.0
"""So long after the last one has joined, the window begins."""
ELSE = "event loop, wake-ups, all else"
"""What no part claims."""

_PARTS: Mapping[str, tuple[tuple[Any, str], ...]] = {
    "compiled loops and kernel": (
        (sfu.intake, "batch"),
        (sfu.net.egress, "dispatch"),
        (sfu.net.egress, "dispatch_piece"),
    ),
    "Python around them": ((Engine, "_read"), (Engine, "_go_on"), (Tick, "read_reports")),
    "RTCP in": ((Tick, "_rtcp"),),
    "RTCP out": ((Feedback, "attend"), (Feedback, "report"), (Outbox, "flush")),
    "ICE checks": ((Mux, "udp_check"),),
    "housekeeping": ((Engine, "_keep_house"),),
    "signalling": ((MessageSocket, "data_received"), (MessageSocket, "_flush"), (MessageSocket, "_on_timer")),
}
"""Functions of the server; what one takes counts for it but not for those that call it."""


class Account(NamedTuple):
    """Of a server, since its start or for a while."""

    elapsed_s: float
    cpu_s: float
    packets: int
    """Forwarded."""
    transports: int
    """At its end."""
    calls: Mapping[str, int]
    seconds: Mapping[str, float]

    def since(self, before: "Account") -> "Account":
        """What came after an account before this one."""
        return Account(
            self.elapsed_s - before.elapsed_s,
            self.cpu_s - before.cpu_s,
            self.packets - before.packets,
            self.transports,
            {part: calls - before.calls[part] for part, calls in self.calls.items()},
            {part: seconds - before.seconds[part] for part, seconds in self.seconds.items()},
        )


class PartsMeter:
    """Keeps the ledger in the server's process."""

    def __init__(self) -> None:
        ledger = self._ledger = Ledger(time.thread_time)
        for part, functions in _PARTS.items():
            for owner, name in functions:
                ledger.follow(part, owner, name)

    def begin(self, server: Server) -> None:
        """The server runs."""
        self._engine = server._pool.engine
        self._began_at = time.monotonic()

    async def answer(self, _name: str) -> Account:
        """What it is now."""
        return Account(
            time.monotonic() - self._began_at,
            time.process_time(),
            self._engine.egress.counters.packets,
            len(self._engine.transports),
            dict(self._ledger.calls),
            dict(self._ledger.seconds),
        )


def measure(load: Load, window_s: float, progress: Progress) -> Account:
    """A server's account of so much time under a load that everybody has joined."""
    with under_load(load, PartsMeter, progress) as server:
        progress("measuring")
        account = account_of(server, window_s)
    progress("done")
    return account


def account_of(server: WholeServer, window_s: float) -> Account:
    """What it is for so much time from now on."""
    before: Account = server.ask("account")
    time.sleep(window_s)
    after: Account = server.ask("account")
    return after.since(before)


@contextmanager
def under_load(load: Load, meter: Callable[[], Meter], progress: Progress) -> Iterator[WholeServer]:
    """A server that everybody of a load has joined. Its meter must tell the account."""
    with WholeServer(ENGINE_CORE, meter, {}) as server:
        command = [sys.executable, "-m", "hubbub", "load", "--url", f"ws://127.0.0.1:{server.port}"]
        command += [*load.options, "--no-progress", "--join-rate", str(JOINS_PER_S), "--duration", "600s"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as people:
            try:
                progress("everybody joins")
                _await_calm(server, people)
                yield server
            finally:
                people.kill()


def _await_calm(server: WholeServer, people: "subprocess.Popen[bytes]") -> None:
    """Wait until somebody, and for a while nobody else, has joined."""
    since, transports = time.monotonic(), 0
    while not transports or time.monotonic() - since < CALM_S:
        if people.poll() is not None:
            raise RuntimeError(f"hubbub load ended with {people.returncode}")
        time.sleep(0.2)
        there = server.ask("account").transports
        if there != transports:
            since, transports = time.monotonic(), there


def table(account: Account) -> str:
    """A line for each part, in Markdown."""
    elapsed_s, cpu_s, packets = account.elapsed_s, account.cpu_s, account.packets
    lines = [
        f"{packets / elapsed_s:,.0f} packets/s, {packets / cpu_s:,.0f} per CPU-second\n",
        "| part | CPU ms of each second | share | µs per packet | calls/s | µs each |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    claimed_s = sum(account.seconds.values())
    for part, taken_s in {**account.seconds, ELSE: cpu_s - claimed_s}.items():
        count = account.calls.get(part, 0)
        calls, each = (f"{count / elapsed_s:,.0f}", f"{1e6 * taken_s / count:.0f}") if count else ("", "")
        lines.append(
            f"| {part} | {1e3 * taken_s / elapsed_s:.1f} | {taken_s / cpu_s:.0%} | {1e6 * taken_s / packets:.2f} "
            f"| {calls} | {each} |"
        )
    total = f"| all | {1e3 * cpu_s / elapsed_s:.1f} | | {1e6 * cpu_s / packets:.2f} | | |"
    return "\n".join([*lines, total])


def main() -> int:
    """Measure the loads named, or all."""
    names = [load.name for load in LOADS]
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.parts",
        description="Where a whole server's CPU time goes in real time, under the loads of `hubbub compare`. "
        "Keeping the accounts costs about a hundredth.",
    )
    parser.add_argument("loads", nargs="*", metavar="load", help=f"of {', '.join(names)}")
    parser.add_argument("--seconds", type=float, default=WINDOW_S, help="how long to measure")
    arguments = parser.parse_args()
    if unknown := set(arguments.loads) - set(names):
        parser.error(f"no such load: {', '.join(sorted(unknown))}")
    take_core(GENERATOR_CORE)
    for load in LOADS:
        if not arguments.loads or load.name in arguments.loads:
            account = measure(load, arguments.seconds, progress_of(load.title))
            print(f"\n{load.title}: {table(account)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
