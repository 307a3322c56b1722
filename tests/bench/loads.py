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
class Rooms:
    """Rooms that are all alike. In each, publishers send to all watchers, and to each other if ``mutual``."""

    count: int
    publishers: int
    watchers: int = 0
    mutual: bool = False
    camera: Camera | None = None
    microphone: Microphone | None = None

    @property
    def people(self) -> int:
        return self.count * (self.publishers + self.watchers)


@dataclass(frozen=True, slots=True)
class Load:
    """Rooms that share an engine."""

    name: str
    title: str
    rooms: tuple[Rooms, ...]

    @property
    def people(self) -> int:
        return sum(rooms.people for rooms in self.rooms)

    @property
    def receive_only(self) -> bool:
        """Whether nothing is forwarded, so that packets are counted on their way in."""
        return not any(rooms.watchers or rooms.mutual for rooms in self.rooms)


CAMERA_720P = Camera((2_000_000,))
SIMULCAST = Camera((150_000, 500_000, 1_700_000))
PAIR = Rooms(1, 2, mutual=True, camera=Camera((1_000_000,)), microphone=Microphone())


def _pairs(count: int) -> Rooms:
    return Rooms(count, 2, mutual=True, camera=PAIR.camera, microphone=PAIR.microphone)


def _speakers(listeners: int) -> tuple[Rooms, ...]:
    return (Rooms(1, 10, listeners, microphone=Microphone()),)


def _broadcast(watchers: int) -> tuple[Rooms, ...]:
    return (Rooms(1, 1, watchers, camera=CAMERA_720P),)


LOADS = (
    Load("video-50", "1 camera to 50", _broadcast(50)),
    Load("video-500", "1 camera to 500", _broadcast(500)),
    Load("audio-50", "10 speakers to 50", _speakers(50)),
    Load("audio-500", "10 speakers to 500", _speakers(500)),
    Load("meeting-25", "25 people, 3 layers", (Rooms(1, 25, mutual=True, camera=SIMULCAST),)),
    Load("pairs-500", "500 rooms of two", (_pairs(500),)),
    Load("receive-1000", "1,000 speakers, in", (Rooms(100, 10, microphone=Microphone()),)),
)
SMALL_LOADS = (Load("pairs-20", "20 rooms of two", (_pairs(20),)),)
"""Only measured when they are named."""
TWO_PEOPLE = Load("pair", "two people", (PAIR,))
BESIDE_A_CROWD = Load("beside", "two people beside 1 to 500", (PAIR, *_broadcast(500)))
BROADCAST_3000 = Load("video-3000", "1 camera to 3,000", _broadcast(3000))
OVERLOAD = Load(
    "overload",
    "calls of ten",
    (Rooms(6, 10, mutual=True, camera=Camera((600_000,)), microphone=Microphone()),),
)
