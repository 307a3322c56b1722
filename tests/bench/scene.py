"""A load set up: an engine with everybody connected, keyed, subscribed and served, and ways to play a tape to it."""

import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from sfu.config import MediaConfig
from sfu.snapshot import Loss
from tests.bench.crowd import Crowd
from tests.bench.engine_process import Stats
from tests.bench.loads import Load
from tests.bench.remote import RemoteEngine
from tests.bench.sink import Sink
from tests.bench.sockets import PeerSocket
from tests.bench.tape import Studio, Tape

ENGINE_CORE, GENERATOR_CORE = 0, 1
CHUNK = 512
"""Datagrams sent in one go where only the engine's socket says how fast: two of its batches."""
CHUNK_OCTETS = CHUNK * 832
"""Kernel memory that a chunk of small datagrams takes (832 bytes each)."""
SETTLE_S = 0.05
STALL_S = 0.3
"""After so long without a packet the bench asks whether the engine still has any."""
WARM_UP_S = 2.5
WARM_UP_AT_MOST_S = 60.0
WARM_UP_STEP_S = 0.05

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Slice:
    """One stretch of saturation."""

    packets: int
    """Media packets that came out; where nothing is forwarded, that the engine took in."""
    expected: int
    cpu_s: float
    user_s: float
    wall_s: float
    generator_s: float
    """Seconds that sending and receiving took on the other core; it waits in a loop for the rest."""
    calls: int
    arrived: int
    """Datagrams into the engine."""
    others: float
    """Share of the engine's core that others took meanwhile."""

    @property
    def packet_us(self) -> float:
        return 1e6 * self.cpu_s / self.packets

    @property
    def busy(self) -> float:
        """Share of the time that the engine's core was busy."""
        return self.cpu_s / self.wall_s


class Scene:
    """Everybody of a load, ready. A context manager: leaving it ends the engine's process."""

    def __init__(self, load: Load, config: MediaConfig, progress: Progress) -> None:
        self.load = load
        self.progress = progress
        self.engine = RemoteEngine(config, ENGINE_CORE)
        self.socket = PeerSocket(load.people)
        self.socket.aim("127.0.0.1", self.engine.port)
        self.crowd = Crowd(load, self.engine, self.socket)

    def __enter__(self) -> Self:
        self.progress("connecting")
        self.crowd.connect()
        self.sink = Sink(self.crowd, self.socket, self.engine.received)
        self.studio = Studio(self.crowd)
        self.warm_up()
        return self

    def __exit__(self, *error: object) -> None:
        self.engine.stop()
        self.socket.close()

    def play(self, tape: Tape, window: int) -> Slice:
        """Send the tape as fast as the engine takes it, and wait until all has come out or is surely lost.

        At most ``window`` copies are on their way. A load without copies is held back by the engine's socket alone.
        """
        self.sink.empty()
        self.sink.forget()
        before, drops, generator_s = self.engine.stats(), self.engine.waiting.drops, self._generator_s
        started_at = time.monotonic()
        if tape.copies[-1]:
            self._by_copies(tape, window)
        else:
            self._by_socket(tape)
        wall_s, generator_s = time.monotonic() - started_at, self._generator_s - generator_s
        after, expected = self.engine.stats(), tape.copies[-1] or tape.media
        packets = self.sink.media
        if not tape.copies[-1]:
            rejected = after.lost[Loss.UNAUTHENTICATED] - before.lost[Loss.UNAUTHENTICATED]
            packets = expected - (self.engine.waiting.drops - drops) - rejected
        return _slice(before, after, packets, expected, wall_s, generator_s, len(tape.peers))

    @property
    def _generator_s(self) -> float:
        return self.sink.busy_s + self.socket.busy_s

    def settle(self) -> None:
        """Wait until nothing is on its way, and count from there."""
        silent_since = time.monotonic()
        while time.monotonic() < silent_since + SETTLE_S:
            if self.sink.drain() or self.engine.waiting.octets:
                silent_since = time.monotonic()
            time.sleep(0.0001)
        self.sink.forget()

    def _by_copies(self, tape: Tape, window: int) -> None:
        sink, copies, bursts = self.sink, tape.copies, tape.bursts
        moved_at = time.monotonic()
        done = sent = lost = 0
        while sink.media + lost < copies[-1] or done < len(bursts):
            ready = bisect_right(copies, sink.media + lost + window, done)
            if ready > done:
                self.socket.send(*tape.part(sent, bursts[ready - 1]))
                sent, done = bursts[ready - 1], ready
            if sink.drain():
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > STALL_S:
                if self._is_quiet():
                    lost = copies[done - 1] - sink.media
                moved_at = time.monotonic()

    def _by_socket(self, tape: Tape) -> None:
        sent = 0
        while sent < len(tape.peers):
            if self.engine.waiting.octets <= CHUNK_OCTETS:
                self.socket.send(*tape.part(sent, sent + CHUNK))
                sent += CHUNK
            rest_if_none(self.sink.drain())
        while self.engine.waiting.octets:
            rest_if_none(self.sink.drain())

    def _is_quiet(self) -> bool:
        """Whether neither engine nor kernel holds anything more; a busy machine may only have been slow."""
        packets = self.engine.stats().packets
        time.sleep(STALL_S / 2)
        return self.engine.stats().packets == packets and not self.sink.drain()

    def warm_up(self) -> None:
        """Key frames until everybody receives, and sender reports, so that layers can be aligned."""
        self.sink.forget()
        started_at = time.monotonic()
        while (silent := int((self.sink.counts == 0).sum())) or time.monotonic() < started_at + WARM_UP_S:
            self.progress(f"warming up, {silent} streams to start")
            if time.monotonic() > started_at + WARM_UP_AT_MOST_S:
                raise RuntimeError(f"{silent} of {len(self.sink.counts)} streams never started")
            step_until = time.monotonic() + WARM_UP_STEP_S
            self.socket.send_all(self.studio.reports())
            self._by_socket(self.studio.record(1 / 30, feedback=False, keyframes=True))
            while time.monotonic() < step_until:
                rest_if_none(self.sink.drain())
        self.sink.restart()


def largest_burst(tape: Tape) -> int:
    """Copies of the largest burst."""
    return int(np.diff(tape.copies, prepend=0).max())


def rest_if_none(count: int) -> None:
    if not count:
        time.sleep(0.0001)


def _slice(
    before: Stats, after: Stats, packets: int, expected: int, wall_s: float, generator_s: float, arrived: int
) -> Slice:
    user_s, system_s = after.user_s - before.user_s, after.system_s - before.system_s
    return Slice(
        packets,
        expected,
        user_s + system_s,
        user_s,
        wall_s,
        generator_s,
        after.calls - before.calls,
        arrived,
        max(0.0, after.others_s - before.others_s) / wall_s,
    )
