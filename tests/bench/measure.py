"""One load measured: saturation by a short backlog, and the floor in turns with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from sfu.snapshot import Loss
from tests.bench.scene import Scene, Slice, largest_burst, rest_if_none
from tests.bench.tape import Tape

BACKLOG_S = 0.005
"""Work that is kept waiting for the engine, so that it never idles, …"""
BACKLOG_DATAGRAMS = 768
"""… and datagrams: a server at its limit finds its batches full, …"""
BACKLOG_MEDIA_S = 0.020
"""… but no more than so much media time: batches of one camera's packets don't grow without bound."""
FIRST_WINDOW = 256
CALIBRATION_S = 0.6
"""CPU time of the engine that is enough to know its speed."""
MEDIA_ONLY_SLICES = 2
RUN_UP = 0.25
"""Of a slice, played before it."""


@dataclass(slots=True)
class Result:
    """What a load showed; per packet means per forwarded packet, or per packet taken in where nothing is forwarded."""

    load: str
    title: str
    slices: list[Slice] = field(default_factory=list)
    media_only: list[Slice] = field(default_factory=list)
    """The same without what receivers send back."""
    floor_us: list[float] = field(default_factory=list)
    window: int = 0
    media_s: float = 0.0
    """Media time of a slice."""
    largest_burst: int = 0
    """Copies of what arrives in one go, at most."""
    per_batch: float = 0.0
    per_message: float = 0.0
    checked: int = 0
    forged: int = 0
    holes: int = 0
    rejected: int = 0
    dropped: int = 0
    kernel_drops: int = 0

    @property
    def packet_us(self) -> float:
        return median(one.packet_us for one in self.slices)

    @property
    def media_only_us(self) -> float:
        return median(one.packet_us for one in self.media_only)

    @property
    def per_core(self) -> float:
        """Packets per CPU second of the engine's process."""
        return 1e6 / self.packet_us

    @property
    def ratio(self) -> float | None:
        """Share of the floor's speed that is reached; None where nothing is forwarded."""
        return median(self.floor_us) / self.packet_us if self.floor_us else None

    @property
    def user_share(self) -> float:
        return sum(one.user_s for one in self.slices) / sum(one.cpu_s for one in self.slices)

    @property
    def busy(self) -> float:
        return median(one.busy for one in self.slices)

    @property
    def others(self) -> float:
        """Share of the engine's core that others took, at worst."""
        return max(one.others for one in self.slices)

    @property
    def speed(self) -> float:
        """How much faster than real time the engine alone would be, all of its core's time taken."""
        return self.media_s / median(one.cpu_s for one in self.slices)

    @property
    def lost(self) -> int:
        return sum(one.expected - one.packets for one in self.slices + self.media_only)


def typical(slices: Sequence[Slice]) -> Slice:
    """The slice in the middle of them by speed."""
    return sorted(slices, key=lambda one: one.packet_us)[len(slices) // 2]


class Saturation:
    """Finds what a scene's engine can do at most."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.window = FIRST_WINDOW
        self.largest_burst = 0
        """Copies of what arrives in one go, at most."""
        self.speed = 0.0
        """Media seconds that the engine does in a CPU second."""

    def run(self, slices: int, slice_s: float) -> Result:
        """``slices`` times so many CPU seconds of the engine, and as many packets for the floor."""
        scene, studio = self.scene, self.scene.studio
        result = Result(scene.load.name, scene.load.title)
        self.calibrate()
        forwards = not scene.load.receive_only
        if forwards:
            scene.engine.record()
            scene.play(studio.record(slice_s * self.speed / 4, feedback=True), self.window)
            result.per_batch, result.per_message = scene.engine.prepare_floor()
        result.window, result.largest_burst = self.window, self.largest_burst
        result.media_s = slice_s * self.speed
        for number in range(slices):
            scene.progress(f"slice {number + 1} of {slices}")
            one = self.play(result.media_s)
            result.slices.append(one)
            if number < MEDIA_ONLY_SLICES:
                result.media_only.append(self.play(result.media_s / 2, feedback=False))
            if result.per_batch:
                result.floor_us.append(self._floor_us(one.packets))
        lost, sink = scene.engine.stats().lost, scene.sink
        result.checked, result.forged, result.holes = sink.checked, sink.forged, sink.holes
        result.rejected = lost[Loss.UNAUTHENTICATED] + lost[Loss.STRANGER]
        result.dropped = lost[Loss.SEND_BUFFER] + lost[Loss.NO_DESTINATION]
        result.kernel_drops = max(scene.engine.waiting.drops, lost[Loss.RECEIVE_BUFFER])
        return result

    def calibrate(self, *, one_burst: bool = False) -> None:
        """Find out how fast the engine is and what backlog keeps it busy, or go by single bursts."""
        self.scene.progress("calibrating")
        media_s, cpu_s = CALIBRATION_S / 4, 0.0
        while cpu_s < CALIBRATION_S:
            media_s *= min(8.0, max(2.0, 1.2 * CALIBRATION_S / cpu_s)) if cpu_s else 1.0
            tape = self.scene.studio.record(media_s, feedback=True)
            burst = largest_burst(tape)
            self.window = burst if one_burst else max(self.window, _window(tape, media_s, 0.0))
            one = self.scene.play(tape, self.window)
            cpu_s = one.cpu_s
            self.largest_burst = max(self.largest_burst, burst)
            self.window = _window(tape, media_s, one.packets / cpu_s)
        self.speed = media_s / cpu_s

    def play(
        self, media_s: float, *, feedback: bool = True, meanwhile: Callable[[], None] | None = None
    ) -> Slice:
        """So much media at saturation, after a run-up. ``meanwhile`` is called between the two.

        While tapes are made, and while the floor runs, nobody sends. The engine notices, and notices again when all
        come back at once; that is no part of what is measured.
        """
        studio = self.scene.studio
        run_up, tape = (studio.record(part * media_s, feedback=feedback) for part in (RUN_UP, 1.0))
        self.scene.play(run_up, self.window)
        if meanwhile is not None:
            meanwhile()
        return self.scene.play(tape, self.window)

    def _floor_us(self, copies: int) -> float:
        drain = self.scene.sink.drain_uncounted
        sent, cpu_s = self.scene.engine.run_floor(copies, self.window, lambda: rest_if_none(drain()))
        while drain():
            pass
        return 1e6 * cpu_s / sent


def _window(tape: Tape, media_s: float, per_second: float) -> int:
    """Copies that may be on their way, if the engine makes so many a second."""
    total = tape.copies[-1]
    datagrams = min(BACKLOG_DATAGRAMS * total / len(tape.peers), BACKLOG_MEDIA_S * total / media_s)
    return int(max(2 * largest_burst(tape), datagrams, BACKLOG_S * per_second))
