"""Published tracks: an UpTrack has layers, a layer has renditions, and down tracks hang on those."""

from math import inf
from typing import TYPE_CHECKING

from sfu.compiled.relay import (
    CUT,
    FIRST_RENDITION,
    FRAMES,
    LAST_PACKET_AT,
    LEVEL,
    MEDIUM,
    MOST_RENDITIONS,
    PICTURES,
    READY,
    RENDITIONS,
    SOUND,
    TOP_TEMPORAL,
)
from sfu.control import LayerInfo, MediaKind, TrackId, TrackSpec, TransportId
from sfu.forwarding.rendition import Rendition
from sfu.forwarding.tables import ForwardTables
from sfu.sdp.description import Codec
from sfu.streams.columns import Row
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
        "_row",
        "clock",
        "history_packets",
        "keyframes",
        "liveness",
        "renditions",
        "restarted_at",
        "rid",
        "spatial",
        "ssrc",
        "tables",
        "track",
    )

    def __init__(
        self,
        track: "UpTrack",
        spatial: int,
        rid: str,
        ssrc: int,
        history_packets: int,
        tables: ForwardTables | None = None,
    ) -> None:
        """Takes a row of ``tables``; without any, the layer has tables of its own."""
        self.tables = ForwardTables() if tables is None else tables
        self._row = Row(self.tables.layers)
        self.tables.layers.words[self.row] = 0
        self.track = track
        self.spatial = spatial
        self.rid = rid
        self.ssrc = ssrc
        """0 until the first packet."""
        self.history_packets = history_packets
        self._begin()
        self.restarted_at = -inf
        """When another SSRC took it by itself."""
        self.keyframes = KeyframeRequests()
        self.renditions: list[Rendition] = []

    def _begin(self) -> None:
        """Nothing has been seen of it."""
        row = Row(self.tables.frames)
        self.liveness, self.clock = LayerLiveness(row), LayerClock(self.track.clock_rate, row)
        self.tables.layers.word[self.row, FRAMES] = row.number

    @property
    def row(self) -> int:
        """In the table of layers, where compiled loops find what changes with each packet."""
        return self._row.number

    @property
    def last_packet_at(self) -> float:
        at: float = self.tables.layers.real[self.row, LAST_PACKET_AT]
        return at

    @last_packet_at.setter
    def last_packet_at(self, now: float) -> None:
        self.tables.layers.real[self.row, LAST_PACKET_AT] = now

    @property
    def top_temporal(self) -> int:
        """Highest temporal layer since the last key frame."""
        temporal: int = self.tables.layers.word[self.row, TOP_TEMPORAL]
        return temporal

    @top_temporal.setter
    def top_temporal(self, temporal: int) -> None:
        self.tables.layers.word[self.row, TOP_TEMPORAL] = temporal

    def unready(self) -> None:
        """Its packets go the way of single ones until somebody has looked at one."""
        self.tables.layers.word[self.row, READY] = 0

    @property
    def ready(self) -> bool:
        """Compiled loops let its packets go on."""
        return bool(self.tables.layers.word[self.row, READY])

    def decide(self, level: int, *, cut: bool) -> None:
        """Whether its packets are left out, for as long as the level of overload stays."""
        word = self.tables.layers.word
        word[self.row, LEVEL], word[self.row, CUT] = level, cut

    def publish(self) -> None:
        """Let compiled loops do it from now on, if it is plain what they have to do."""
        renditions = self.renditions
        sound = self.track.kind is MediaKind.AUDIO
        if (
            len(renditions) > MOST_RENDITIONS
            or not (sound or (self.live and self.track.main.mime == "video/vp8"))
            or any(one.waiting or (one.plain and self.track.redundant) for one in renditions)
            or not all(one.publish() for one in renditions)
        ):
            return
        words = self.tables.layers.words[self.row]
        words[MEDIUM] = SOUND if sound else PICTURES
        words[RENDITIONS] = len(renditions)
        words[FIRST_RENDITION : FIRST_RENDITION + len(renditions)] = [one.row for one in renditions]
        words[READY] = 1

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
        self.liveness.frame(now)
        self.clock.observe(timestamp, now)

    def rendition(self, *, temporal: int, plain: bool) -> Rendition:
        """The rendition under a filter, made when it is first wanted."""
        for rendition in self.renditions:
            if rendition.temporal == temporal and rendition.plain == plain:
                return rendition
        made = Rendition(self, temporal=temporal, plain=plain, history_packets=self.history_packets)
        self.renditions.append(made)
        self.unready()
        return made

    def restart(self) -> None:
        """The client begins anew, under another SSRC: its numbers and times have nothing to do with the old ones.

        Down tracks stop, remembering where their numbers stood, until the layer has come alive again.
        """
        self._begin()
        for rendition in self.renditions:
            for down in [*rendition.members, *rendition.waiting]:
                down.stop()
        self.forget_renditions()

    def forget_renditions(self) -> None:
        """Let go of what renditions keep; packets may be in lanes for their fan-outs."""
        self.unready()
        for rendition in self.renditions:
            rendition.retire()
        self.renditions = []

    def sweep(self) -> None:
        """Drop renditions that nobody uses, so that no packet is numbered for nobody."""
        self.unready()
        self.renditions = [rendition for rendition in self.renditions if not rendition.unused]

    def stopped(self) -> bool:
        """Whether the layer has just stopped while a lower one goes on.

        Its silence lasts until the newest packet of a lower layer: where all are silent, the publisher is.
        """
        lower = [layer for layer in self.track.layers if layer.spatial < self.spatial and layer.live]
        newest = max((layer.last_packet_at for layer in lower), default=0.0)
        if not self.liveness.check(newest, bool(lower)):
            return False
        self.unready()
        return True


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
