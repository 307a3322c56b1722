"""How long packets take: from their arrival at the engine's socket until their last copy is sent.

Measured outside the engine, so it can't be flattered and isn't disturbed. Loopback delivers within the system call that
sends: a packet arrives at the engine's socket while the generator's ``sendmmsg`` runs, and its copies arrive at the
sink's socket while the engine's does. So the clock starts before the generator's call, and stops at the kernel's
timestamp of the last copy. Both are the machine's real-time clock.
"""

import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sfu.snapshot import Loss
from tests.bench.crowd import Person
from tests.bench.scene import Scene
from tests.bench.sockets import Floats, Ints
from tests.bench.tape import Tape

LEAD_S = 0.05
RUN_UP_S = 1.0
"""At the start, when everybody comes back after a silence; its packets are not counted."""
TAIL_S = 1.0
"""How long the last copies are waited for."""
ATTEMPTS = 3
"""Times at most that a tape is played, when the machine had something else to do."""
BURSTS_AT_ONCE = 32
"""Bursts sent by one call when several are due; what comes last waits a little, and that counts as delay."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Delays of packets in milliseconds."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    packets: int
    lost: int
    """Copies that never came."""
    busy: float
    """Share of the engine's core in use meanwhile."""
    late_ms: float
    """How late the generator sent, in the worst of a hundred bursts; that does not count as delay."""


class LeftOutError(RuntimeError):
    """The engine was so late that it left out video, which comes back with key frames only. No tape has any."""


def in_real_time(scene: Scene, media_s: float, speed: float, among: Sequence[Person] | None = None) -> Delays:
    """Play so much media at ``speed`` times real time, after a run-up.

    Returns the delays of what those ``among`` published; of everything by default. When the engine left out video, as
    it does when something else takes its core for a fifth of a second, all start with key frames and play again.
    """
    for attempt in range(1, ATTEMPTS + 1):
        tape = scene.studio.record(media_s + RUN_UP_S * speed, feedback=True)
        try:
            return Stopwatch(scene, tape, speed).run(among)
        except LeftOutError as error:
            if attempt == ATTEMPTS:
                raise
            scene.progress(f"once more, because {error}")
            scene.warm_up()
    raise AssertionError


class Stopwatch:
    """Plays a tape by the clock, each burst at its time, and notes when everything went and came."""

    def __init__(self, scene: Scene, tape: Tape, speed: float) -> None:
        self._scene = scene
        self._tape = tape
        self.due_s: list[float] = ((tape.at[tape.starts] - tape.at[0]) / speed).tolist()
        """When each burst goes, in seconds from the start."""
        self.sent_at: Floats = np.zeros(len(tape.peers))
        """When each datagram went, in Unix seconds."""
        self.started_unix = 0.0

    def run(self, among: Sequence[Person] | None = None) -> Delays:
        scene, tape = self._scene, self._tape
        scene.settle()
        scene.sink.record_arrivals()
        before = scene.engine.stats()
        late_s = self.send()
        until = time.monotonic() + TAIL_S
        while scene.sink.media < tape.copies[-1] and time.monotonic() < until:
            scene.sink.drain()
        after = scene.engine.stats()
        streams, _, arrivals = scene.sink.arrivals()
        left_out = after.lost[Loss.OVERLOAD] - before.lost[Loss.OVERLOAD]
        if left_out:
            raise LeftOutError(
                f"{left_out} packets were left out; the generator was late by {1e3 * np.percentile(late_s, 99):.1f} ms"
            )
        delays_s, lost = self._delays(streams, arrivals, among)
        if not len(delays_s):
            raise RuntimeError(f"{scene.load.title}: no stream came whole, {lost} copies are missing")
        cpu_s = after.user_s + after.system_s - before.user_s - before.system_s
        p50, p99 = np.percentile(delays_s, (50, 99))
        return Delays(
            1000 * float(p50),
            1000 * float(p99),
            1000 * float(delays_s.max()),
            len(delays_s),
            lost,
            cpu_s / (after.at - before.at),
            1000 * float(np.percentile(late_s, 99)),
        )

    def on_turn(self) -> None:
        """Called all the time while sending."""

    def send(self) -> Floats:
        """Send each burst when it is due; returns how late each was."""
        scene, tape, due_s = self._scene, self._tape, self.due_s
        late_s = np.zeros(len(due_s))
        started_at = time.monotonic() + LEAD_S
        self.started_unix = time.time() + LEAD_S
        done = sent = 0
        while done < len(due_s):
            self.on_turn()
            elapsed_s = time.monotonic() - started_at
            if elapsed_s < due_s[done]:
                scene.sink.drain()
                continue
            ready = bisect_right(due_s, elapsed_s, done, min(done + BURSTS_AT_ONCE, len(due_s)))
            late_s[done:ready] = elapsed_s - np.array(due_s[done:ready])
            stop = tape.bursts[ready - 1]
            self.sent_at[sent:stop] = time.time()
            scene.socket.send(*tape.part(sent, stop))
            sent, done = stop, ready
        return late_s

    def _delays(self, streams: Ints, arrivals: Floats, among: Sequence[Person] | None) -> tuple[Floats, int]:
        """Delay of each packet that was forwarded, and how many copies are missing."""
        tape = self._tape
        wanted = None if among is None else {ssrc for person in among for ssrc in person.ssrcs}
        last_at: Floats = np.zeros(len(tape.peers))
        lost = 0
        by_source = {ssrc: np.flatnonzero(tape.ssrcs == ssrc) for ssrc in np.unique(tape.ssrcs).tolist()}
        came = _by_stream(streams, arrivals, len(self._scene.sink.counts))
        for stream, source in enumerate(self._scene.sink.sources):
            packets = by_source.get(source)
            if packets is None or (wanted is not None and source not in wanted):
                continue
            missing = len(packets) - len(came[stream])
            lost += max(0, missing)
            if not missing:
                last_at[packets] = np.maximum(last_at[packets], came[stream])
        measured = (last_at > 0) & (self.sent_at > self.started_unix + RUN_UP_S)
        return last_at[measured] - self.sent_at[measured], lost


def _by_stream(streams: Ints, arrivals: Floats, count: int) -> list[Floats]:
    """Arrivals of each stream, in order."""
    order = np.argsort(streams, kind="stable")
    ends = np.searchsorted(streams[order], np.arange(1, count))
    return np.split(arrivals[order], ends)
