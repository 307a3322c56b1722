"""What a load test is to do: who joins which room, what they publish, how long it is watched."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Layer(NamedTuple):
    """One encoding of a video track."""

    rid: str
    """``q``, ``h`` or ``f``; empty for the only encoding of a track without simulcast."""
    width: int
    height: int
    bitrate_bps: int


PRESETS = {
    "180p": Layer("", 320, 180, 160_000),
    "360p": Layer("", 640, 360, 450_000),
    "540p": Layer("", 960, 540, 800_000),
    "720p": Layer("", 1280, 720, 1_700_000),
    "1080p": Layer("", 1920, 1080, 3_000_000),
}
"""Sizes and bitrates of livekit-client's presets of the same heights."""

_LOWER_LAYERS = {
    "180p": (),
    "360p": ("180p",),
    "540p": ("180p", "360p"),
    "720p": ("180p", "360p"),
    "1080p": ("180p", "360p"),
}
"""What livekit-client adds for simulcast."""


@dataclass(frozen=True, slots=True)
class Video:
    """What every publisher sends as its camera."""

    layers: tuple[Layer, ...]
    """Smallest first."""
    fps: float = 30.0
    keyframe_interval_s: float = 10.0

    @property
    def bitrate_bps(self) -> int:
        return sum(layer.bitrate_bps for layer in self.layers)


@dataclass(frozen=True, slots=True)
class Participant:
    """One client of the test."""

    room: str
    identity: str
    publishes: bool
    subscribes: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole test. Publishers and subscribers are per room."""

    url: str
    api_key: str
    api_secret: str
    rooms: int = 1
    publishers: int = 1
    subscribers: int = 1
    subscribe_all: bool = False
    """Publishers receive each other too."""
    room_prefix: str = "load"
    identity_prefix: str = "load"
    join_rate: float = 10.0
    """Participants per second."""
    settle_s: float = 1.0
    """Between the last join and the measured interval."""
    duration_s: float = 30.0
    video: Video | None = None
    audio: bool = True
    verify_all: bool = False
    """Authenticate every packet received, not a sample."""
    server_pids: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """How many participants there are in all."""
        return self.rooms * (self.publishers + self.subscribers)

    def participants(self) -> Iterator[Participant]:
        """Everybody in the order of joining: all publishers, room after room, before all subscribers."""
        for n in range(self.publishers):
            for room in range(self.rooms):
                identity = f"{self.identity_prefix}-pub-{n}"
                yield Participant(self.room(room), identity, True, self.subscribe_all)
        for n in range(self.subscribers):
            for room in range(self.rooms):
                yield Participant(self.room(room), f"{self.identity_prefix}-sub-{n}", False, True)

    def room(self, number: int) -> str:
        """The room's name: the bare prefix if there is only one."""
        return self.room_prefix if self.rooms == 1 else f"{self.room_prefix}-{number}"


def video_layers(resolution: str, *, simulcast: bool, bitrate_bps: int | None = None) -> tuple[Layer, ...]:
    """The encodings of a camera of that resolution, smallest first.

    ``bitrate_bps`` is for the largest; the smaller ones keep their proportion to it.
    """
    top = PRESETS[resolution]
    scale = 1.0 if bitrate_bps is None else bitrate_bps / top.bitrate_bps
    layers = [PRESETS[lower] for lower in _LOWER_LAYERS[resolution]] if simulcast else []
    layers.append(top)
    rids = ("q", "h", "f") if len(layers) > 1 else ("",)
    return tuple(
        layer._replace(rid=rid, bitrate_bps=int(layer.bitrate_bps * scale))
        for layer, rid in zip(layers, rids, strict=False)
    )
