"""The loads: who sends what to whom. A load is data; :mod:`tests.bench.crowd` makes the peers of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Camera:
    """Video as browsers send it: each frame a burst of near-equal packets of up to 1150 bytes."""

    layers_bps: tuple[int, ...]
    """Bit rate of each simulcast layer, smallest first; one for no simulcast."""
    fps: float = 30.0


@dataclass(frozen=True, slots=True)
class Microphone:
    """Opus, a packet each 20 ms, of sizes that vary as those of speech do."""

    mean_bytes: int = 120


@dataclass(frozen=True, slots=True)
class Load:
    """Rooms that are all alike. In each, publishers send to all watchers, and to each other if ``mutual``."""

    name: str
    title: str
    rooms: int
    publishers: int
    watchers: int = 0
    mutual: bool = False
    camera: Camera | None = None
    microphone: Microphone | None = None

    @property
    def people(self) -> int:
        return self.rooms * (self.publishers + self.watchers)


CAMERA_720P = Camera((2_000_000,))
SIMULCAST = Camera((150_000, 500_000, 1_700_000))

LOADS = (
    Load("video-50", "1 camera to 50", 1, 1, 50, camera=CAMERA_720P),
    Load("video-500", "1 camera to 500", 1, 1, 500, camera=CAMERA_720P),
    Load("audio-50", "10 speakers to 50", 1, 10, 50, microphone=Microphone()),
    Load("meeting-25", "25 people, 3 layers", 1, 25, mutual=True, camera=SIMULCAST),
    Load(
        "pairs-200",
        "200 rooms of two",
        200,
        2,
        mutual=True,
        camera=Camera((1_000_000,)),
        microphone=Microphone(),
    ),
)
