"""One load measured: saturation by a short backlog, and the floor in turns with it."""

import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from sfu.config import MediaConfig
from tests.bench.crowd import Crowd
from tests.bench.engine_process import Stats
from tests.bench.loads import Load
from tests.bench.remote import RemoteEngine
from tests.bench.sink import Deaf, Sink
from tests.bench.sockets import PeerSocket
from tests.bench.tape import Studio, Tape, rate

BACKLOG_S = 0.005
"""Work that is kept waiting for the engine: it never idles, and its batches are no larger than this backlog."""
FIRST_WINDOW = 256
STALL_S = 0.3
"""After so long without a packet the bench asks whether the engine still has any."""
WARM_UP_S = 2.5
WARM_UP_AT_MOST_S = 60.0
WARM_UP_FRAME_S = 0.05
_ENGINE_CORE = 0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Slice:
    """One stretch of saturation."""

    forwarded: int
    expected: int
    cpu_s: float
    user_s: float
    wall_s: float
    calls: int
    arrived: int
    """Datagrams into the engine."""


@dataclass(slots=True)
class Result:
    """What a load showed; per packet means per forwarded packet."""

    load: str
    title: str
    slices: list[Slice] = field(default_factory=list)
    media_only: list[Slice] = field(default_factory=list)
    """The same without what receivers send back."""
    floor_us: list[float] = field(default_factory=list)
    window: int = 0
    per_batch: float = 0.0
    per_message: float = 0.0
    checked: int = 0
    forged: int = 0
    holes: int = 0
    rejected: int = 0
    dropped: int = 0

    @property
    def packet_us(self) -> float:
        return median(_us(one) for one in self.slices)

    @property
    def media_only_us(self) -> float:
        return median(_us(one) for one in self.media_only)

    @property
    def per_core(self) -> float:
        """Forwarded packets per CPU second of the engine's process."""
        return 1e6 / self.packet_us

    @property
    def ratio(self) -> float:
        """Share of the floor's speed that is reached."""
        return median(self.floor_us) / self.packet_us

    @property
    def user_share(self) -> float:
        return sum(one.user_s for one in self.slices) / sum(one.cpu_s for one in self.slices)

    @property
    def lost(self) -> int:
        return sum(one.expected - one.forwarded for one in self.slices + self.media_only)


class Measurement:
    """Sets a load up, and measures it in slices."""

    def __init__(self, load: Load, config: MediaConfig, progress: Progress) -> None:
        self.load = load
        self._progress = progress
        self._engine = RemoteEngine(config, _ENGINE_CORE)
        self._socket = PeerSocket(load.people)
        self._socket.aim("127.0.0.1", self._engine.port)
        self._crowd = Crowd(load, self._engine, self._socket)
        self._window = 0

    def run(self, slices: int, copies: int) -> Result:
        """``slices`` times so many forwarded packets, and as many for the floor."""
        result = Result(self.load.name, self.load.title)
        self._progress("connecting")
        self._crowd.connect()
        self._sink = Sink(self._crowd, self._socket, self._engine.received)
        self._studio = Studio(self._crowd)
        self._warm_up()
        duration_s = copies / rate(self._crowd)
        self._calibrate(duration_s / 2)
        result.window = self._window
        result.per_batch, result.per_message = self._engine.prepare_floor()
        deaf = Deaf(self._socket, self._engine.received)
        for number in range(slices):
            self._progress(f"slice {number + 1} of {slices}")
            result.slices.append(self._play(self._studio.record(duration_s, feedback=True)))
            result.media_only.append(self._play(self._studio.record(duration_s, feedback=False)))
            sent, cpu_s = self._engine.run_floor(copies, self._window, lambda: _rest_if_none(deaf.drain()))
            result.floor_us.append(1e6 * cpu_s / sent)
            while deaf.drain():
                pass
        stats = self._engine.stats()
        sink = self._sink
        result.checked, result.forged, result.holes = sink.checked, sink.forged, sink.holes
        result.rejected, result.dropped = stats.rejected + stats.strangers, stats.dropped
        return result

    def close(self) -> None:
        self._engine.stop()
        self._socket.close()

    def _warm_up(self) -> None:
        """Key frames until everybody receives, and sender reports, so that layers can be aligned."""
        started_at = time.monotonic()
        while (silent := int((self._sink.counts == 0).sum())) or time.monotonic() < started_at + WARM_UP_S:
            self._progress(f"warming up, {silent} streams to start")
            if time.monotonic() > started_at + WARM_UP_AT_MOST_S:
                raise RuntimeError(f"{silent} of {len(self._sink.counts)} streams never started")
            self._socket.send_all(self._studio.reports())
            tape = self._studio.record(1 / 30, feedback=False, keyframes=True)
            self._socket.send(tape.peers, tape.pointers, tape.lengths)
            frame_until = time.monotonic() + WARM_UP_FRAME_S
            while time.monotonic() < frame_until:
                _rest_if_none(self._sink.drain())

    def _calibrate(self, duration_s: float) -> None:
        """Find the window that is BACKLOG_S of work, and record what the floor shall repeat."""
        tape = self._studio.record(duration_s / 2, feedback=True)
        largest = int(np.diff(tape.copies, prepend=0).max())
        self._window = max(2 * largest, FIRST_WINDOW)
        first = self._play(tape)
        self._window = max(2 * largest, int(BACKLOG_S * first.forwarded / first.cpu_s))
        self._engine.record()
        self._play(self._studio.record(duration_s / 2, feedback=True))

    def _play(self, tape: Tape) -> Slice:
        """Send the tape as fast as the window allows, and wait until all has come out or is surely lost."""
        sink, copies, bursts = self._sink, tape.copies, tape.bursts
        sink.empty()
        sink.forget()
        before = self._engine.stats()
        started_at = moved_at = time.monotonic()
        done = sent = lost = 0
        while sink.media + lost < copies[-1] or done < len(bursts):
            ready = bisect_right(copies, sink.media + lost + self._window, done)
            if ready > done:
                part = slice(sent, bursts[ready - 1])
                self._socket.send(tape.peers[part], tape.pointers[part], tape.lengths[part])
                sent, done = bursts[ready - 1], ready
            if sink.drain():
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > STALL_S:
                if self._is_quiet():
                    lost = copies[done - 1] - sink.media
                moved_at = time.monotonic()
        wall_s = time.monotonic() - started_at
        return _slice(before, self._engine.stats(), sink.media, copies[-1], wall_s, len(tape.peers))

    def _is_quiet(self) -> bool:
        """Whether neither engine nor kernel holds anything more; a busy machine may only have been slow."""
        packets = self._engine.stats().packets
        time.sleep(STALL_S / 2)
        return self._engine.stats().packets == packets and not self._sink.drain()


def _slice(before: Stats, after: Stats, forwarded: int, expected: int, wall_s: float, arrived: int) -> Slice:
    user_s, system_s = after.user_s - before.user_s, after.system_s - before.system_s
    return Slice(forwarded, expected, user_s + system_s, user_s, wall_s, after.calls - before.calls, arrived)


def _us(one: Slice) -> float:
    return 1e6 * one.cpu_s / one.forwarded


def _rest_if_none(count: int) -> None:
    if not count:
        time.sleep(0.0001)
