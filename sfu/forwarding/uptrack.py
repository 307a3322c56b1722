"""Published tracks: an UpTrack has layers, a layer has renditions, and down tracks hang on those."""

from math import inf
from typing import TYPE_CHECKING

from sfu.control import LayerInfo, MediaKind, TrackId, TrackSpec, TransportId
from sfu.forwarding.rendition import Rendition
from sfu.sdp.description import Codec
from sfu.streams.keyframes import KeyframeRequests
from sfu.streams.liveness import LayerLiveness
from sfu.streams.sender_report import PublisherClock
from sfu.streams.timeline import LayerClock

if TYPE_CHECKING:
    from sfu.forwarding.downtrack import DownTrack

_AUXILIARY = frozenset(
    {"video/rtx", "audio/red", "audio/telephone-event", "audio/cn", "video/ulpfec", "video/red"}
)
"""Formats that only accompany a codec."""


class Layer:
    """One encoding of a track: a simulcast layer, or the only one."""

    __slots__ = (
        "clock",
        "history_packets",
        "keyframes",
        "last_packet_at",
        "liveness",
        "renditions",
        "restarted_at",
        "rid",
        "spatial",
        "ssrc",
        "top_temporal",
        "track",
    )

    def __init__(self, track: "UpTrack", spatial: int, rid: str, ssrc: int, history_packets: int) -> None:
        self.track = track
        self.spatial = spatial
        self.rid = rid
        self.ssrc = ssrc
        """0 until the first packet."""
        self.history_packets = history_packets
        self.liveness = LayerLiveness()
        self.last_packet_at = 0.0
        self.restarted_at = -inf
        """When another SSRC took it by itself."""
        self.keyframes = KeyframeRequests()
        self.clock = LayerClock(track.clock_rate)
        self.renditions: list[Rendition] = []
        self.top_temporal = 0
        """Highest temporal layer since the last key frame."""

    @property
    def live(self) -> bool:
        """It is being sent, and has had a key frame."""
        return self.liveness.live

    @property
    def info(self) -> LayerInfo:
        return LayerInfo(self.spatial, self.rid, self.ssrc)

    @property
    def wanted(self) -> bool:
        """Somebody waits for a key frame of it, and not only for fewer or more frames."""
        return any(
            down.rendition is None or down.rendition.layer is not self
            for rendition in self.renditions
            for down in rendition.waiting
        )

    def frame(self, timestamp: int, now: float) -> None:
        """A packet came that is the first of a frame, or of another frame than the one before."""
        if self.spatial:  # the lowest layer never stops
            self.liveness.frame(now)
        self.clock.observe(timestamp, now)

    def rendition(self, *, temporal: int, plain: bool) -> Rendition:
        """The rendition under a filter, made when it is first wanted."""
        for rendition in self.renditions:
            if rendition.temporal == temporal and rendition.plain == plain:
                return rendition
        made = Rendition(self, temporal=temporal, plain=plain, history_packets=self.history_packets)
        self.renditions.append(made)
        return made

    def restart(self) -> None:
        """The client begins anew, under another SSRC: its numbers and times have nothing to do with the old ones.

        Down tracks stop, remembering where their numbers stood, until the layer has come alive again.
        """
        self.liveness = LayerLiveness()
        self.clock = LayerClock(self.clock.clock_rate)
        for rendition in self.renditions:
            for down in [*rendition.members, *rendition.waiting]:
                down.stop()
        self.renditions = []

    def sweep(self) -> None:
        """Drop renditions that nobody uses, so that no packet is numbered for nobody."""
        self.renditions = [rendition for rendition in self.renditions if not rendition.unused]

    def stopped(self) -> bool:
        """Whether the layer has just stopped while a lower one goes on.

        Its silence lasts until the newest packet of a lower layer: where all are silent, the publisher is.
        """
        lower = [layer for layer in self.track.layers if layer.spatial < self.spatial and layer.live]
        newest = max((layer.last_packet_at for layer in lower), default=0.0)
        return self.liveness.check(newest, bool(lower))


class UpTrack:
    """A published track. ``codecs`` maps the publisher's payload types to codec slots."""

    __slots__ = (
        "clock",
        "codecs",
        "down_tracks",
        "kind",
        "layers",
        "muted",
        "owner",
        "slots",
        "spec",
    )

    def __init__(
        self, owner: TransportId, spec: TrackSpec, codecs: tuple[Codec, ...], clock: PublisherClock
    ) -> None:
        self.owner = owner
        self.clock = clock
        """The publisher's clock, shared by all its tracks."""
        self.spec = spec
        self.kind: MediaKind = spec.kind
        self.codecs = codecs
        """Accepted codecs in the answer's order, RTX included."""
        self.slots = _slots(codecs)
        self.muted = spec.muted
        self.layers: list[Layer] = []
        self.down_tracks: dict[TransportId, DownTrack] = {}

    @property
    def track_id(self) -> TrackId:
        return self.spec.track_id

    @property
    def main(self) -> Codec:
        """The codec in slot 0."""
        payload_type = next(payload_type for payload_type, slot in self.slots.items() if slot == 0)
        return next(codec for codec in self.codecs if codec.payload_type == payload_type)

    @property
    def clock_rate(self) -> int:
        return self.main.clock_rate

    @property
    def redundant(self) -> bool:
        """RFC 2198 was negotiated and is what the client sends first."""
        return bool(self.codecs) and self.codecs[0].mime == "audio/red"

    @property
    def mime(self) -> str:
        """What the track is called towards clients."""
        codec = self.codecs[0] if self.redundant else self.main
        return f"{self.kind.value}/{codec.name}"

    def best(self, spatial: int) -> Layer | None:
        """The highest live layer up to ``spatial``, or the lowest that lives above it."""
        live = [layer for layer in self.layers if layer.live]
        below = [layer for layer in live if layer.spatial <= spatial]
        if below:
            return max(below, key=_spatial)
        return min(live, key=_spatial, default=None)


def _spatial(layer: Layer) -> int:
    return layer.spatial


def _slots(codecs: tuple[Codec, ...]) -> dict[int, int]:
    """Payload types that are forwarded: the first real codec, its other numbers, and RED in a slot of its own."""
    main = next((codec for codec in codecs if codec.mime not in _AUXILIARY), None)
    if main is None:
        return {}
    slots = {codec.payload_type: 0 for codec in codecs if codec.mime == main.mime}
    slots.update({codec.payload_type: 1 for codec in codecs if codec.mime == "audio/red"})
    return slots
