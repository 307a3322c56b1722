"""3,000 subscribers of one camera: what a second of it costs, and whether this machine can carry it as it happens."""

from dataclasses import dataclass

from sfu.config import MediaConfig
from tests.bench.loads import BROADCAST_3000
from tests.bench.measure import Saturation
from tests.bench.scene import Progress, Scene

MEDIA_S = 4.0


@dataclass(frozen=True, slots=True)
class Broadcast:
    """CPU seconds for each second of media."""

    engine_user: float
    engine_kernel: float
    generator: float
    """Generator and sinks, which a server does not have."""
    wall: float
    """Seconds that a second of media took here, engine and sinks on a core each."""
    packets_per_s: float
    """Copies in a second of media."""
    lost: int

    @property
    def engine(self) -> float:
        return self.engine_user + self.engine_kernel


def measure(config: MediaConfig, progress: Progress) -> Broadcast:
    """Everything is really sent and received; if that takes longer than the media lasts, media time is stretched."""
    with Scene(BROADCAST_3000, config, progress) as scene:
        saturation = Saturation(scene)
        saturation.calibrate(one_burst=True)
        progress("measuring")
        # One picture at a time: two take longer than an engine may be behind before it leaves video out.
        saturation.window = saturation.largest_burst
        one = saturation.play(MEDIA_S)
    progress("done")
    return Broadcast(
        one.user_s / MEDIA_S,
        (one.cpu_s - one.user_s) / MEDIA_S,
        one.generator_s / MEDIA_S,
        one.wall_s / MEDIA_S,
        one.expected / MEDIA_S,
        one.expected - one.packets,
    )
