"""What a burst to 500 does to two people in the same engine: their delays beside it, and when they are alone."""

from dataclasses import dataclass

from sfu.config import MediaConfig
from tests.bench.latency import RUN_UP_S, Delays, Stopwatch, in_real_time
from tests.bench.loads import BESIDE_A_CROWD
from tests.bench.scene import Progress, Scene

MEDIA_S = 10.0


@dataclass(frozen=True, slots=True)
class Fairness:
    """Delays of the two people's packets."""

    beside: Delays
    alone: Delays

    @property
    def added_p99_ms(self) -> float:
        return self.beside.p99_ms - self.alone.p99_ms

    @property
    def added_max_ms(self) -> float:
        return self.beside.max_ms - self.alone.max_ms


def measure(config: MediaConfig, progress: Progress) -> Fairness:
    """Both rooms in real time; then the camera stops, and the two go on."""
    with Scene(BESIDE_A_CROWD, config, progress) as scene:
        two = scene.crowd.rooms[0][1]
        progress("beside a camera to 500")
        beside = in_real_time(scene, MEDIA_S, 1.0, two)
        progress("alone")
        tape = scene.studio.record(MEDIA_S + RUN_UP_S, feedback=True, among=two)
        alone = Stopwatch(scene, tape, 1.0).run(two)
    progress("done")
    return Fairness(beside, alone)
