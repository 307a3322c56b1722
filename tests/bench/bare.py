"""What the kernel alone takes of what a whole server takes in real time: ``python -m tests.bench.bare [load …]``.

Under the loads that servers are compared by, what the server sends is recorded for a second. Then it does nothing but
make the same calls at the same times, from the same socket to the same receivers: with ready-made headers and the bytes
that were recorded, or encrypted again by libsrtp. No server that sends the same messages by the same calls takes less.
"""

import argparse
import sys
import time
from typing import Any, NamedTuple

from hubbub.load.comparison import LOADS, Load
from hubbub.server import Server
from tests.bench.engine_process import take_core
from tests.bench.floor import Floor, Recorder
from tests.bench.parts import Account, account_of, under_load
from tests.bench.scene import GENERATOR_CORE, Progress
from tests.bench.settings import progress_of

WINDOW_S = 6.0
RECORD_S = 1.0
TURNS = 2
"""Of the whole server, the kernel, and the kernel with the cipher."""


class Bare(NamedTuple):
    """Microseconds of CPU time for each packet sent, in each turn."""

    server: list[float]
    kernel: list[float]
    with_cipher: list[float]
    messages_per_s: float


class BareMeter:
    """Records what the server sends, and sends it again."""

    def begin(self, server: Server) -> None:
        """The server runs."""
        self._engine = server._pool.engine

    async def answer(self, name: str, *arguments: Any) -> Any:
        """``account``; ``record`` and ``recorded``; ``send`` again."""
        return getattr(self, f"_{name}")(*arguments)

    def _account(self) -> Account:
        packets = self._engine.egress.counters.packets
        return Account(time.monotonic(), time.process_time(), packets, len(self._engine.transports), {}, {})

    def _record(self) -> None:
        senders = self._engine.egress._sender, self._engine.outbox._sender
        self._recorder = Recorder(sender for sender in senders if sender is not None)

    def _recorded(self) -> float:
        """End the recording; returns how many messages a second there were."""
        batches = self._recorder.stop()
        self._at = [at - self._recorder.at[0] for at in self._recorder.at[: len(batches)]]
        self._floor = Floor(batches)
        return sum(len(batch) for batch in batches) / self._at[-1]

    def _send(self, duration_s: float, protect: bool) -> float:
        """Send what was recorded, over and over; returns CPU time for each packet, in microseconds."""
        fd = self._engine.ports[0].fileno
        sent, began_at, before_s = 0, time.monotonic(), time.process_time()
        while time.monotonic() - began_at < duration_s:
            round_at = time.monotonic()
            for at, batch in zip(self._at, self._floor.prepared, strict=True):
                wait_s = round_at + at - time.monotonic()
                if wait_s > 0:
                    time.sleep(wait_s)
                sent += batch.send(fd, protect=protect)
        return 1e6 * (time.process_time() - before_s) / sent


def measure(load: Load, window_s: float, progress: Progress) -> Bare:
    """All of it, in turns."""
    found = Bare([], [], [], 0.0)
    with under_load(load, BareMeter, progress) as server:
        server.ask("record")
        time.sleep(RECORD_S)
        found = found._replace(messages_per_s=server.ask("recorded"))
        for turn in range(TURNS):
            progress(f"the whole server, {turn + 1} of {TURNS}")
            time.sleep(1.0)  # it reads what came meanwhile
            account = account_of(server, window_s)
            found.server.append(1e6 * account.cpu_s / account.packets)
            progress(f"the kernel alone, {turn + 1} of {TURNS}")
            found.kernel.append(server.ask("send", window_s / 2, False))
            found.with_cipher.append(server.ask("send", window_s / 2, True))
    progress("done")
    return found


def text(found: Bare) -> str:
    """A line for people."""

    def all_of(turns: list[float]) -> str:
        return " and ".join(f"{one:.2f}" for one in turns)

    return (
        f"whole server {all_of(found.server)} us a packet, kernel alone {all_of(found.kernel)}, kernel and cipher "
        f"{all_of(found.with_cipher)}; {found.messages_per_s:,.0f} messages/s"
    )


def main() -> int:
    """Measure the loads named, or all."""
    names = [load.name for load in LOADS]
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bare", description=__doc__)
    parser.add_argument("loads", nargs="*", metavar="load", help=f"of {', '.join(names)}")
    parser.add_argument("--seconds", type=float, default=WINDOW_S, help="how long to measure in each turn")
    arguments = parser.parse_args()
    if unknown := set(arguments.loads) - set(names):
        parser.error(f"no such load: {', '.join(sorted(unknown))}")
    take_core(GENERATOR_CORE)
    for load in LOADS:
        if not arguments.loads or load.name in arguments.loads:
            print(
                f"{load.title}: {text(measure(load, arguments.seconds, progress_of(load.title)))}", flush=True
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
