"""Which SSRC of a transport is which layer's, or repairs it: as negotiated, or as its packets say themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sfu.compiled.streams import FRAME, LAYER, METER, SLOT
from sfu.control import MediaKind
from sfu.forwarding.layout import Layout, SourceExtensions
from sfu.forwarding.reader import Reader, reader_for
from sfu.forwarding.stream_table import StreamTable, reporter_key, stream_key
from sfu.forwarding.uptrack import Layer, UpTrack
from sfu.rtp.extensions import ExtensionUri
from sfu.streams.attention import Attention
from sfu.streams.nack import AUDIO_TRIES, TRIES, NackRegister
from sfu.streams.receive import ReceiveStream
from sfu.streams.speakers import LevelMeter, SpeechSettings

MAX_STREAMS = 128
"""SSRCs that one transport may bind; a client needs three layers and their RTX for each video."""
RESTART_S = 0.1
"""Between SSRCs that take a layer by themselves: each costs a new beginning, and everybody's key frame."""
MAX_SSRCS = 256
"""SSRCs, RTCP's included, that SRTP keeps state for; of more, the oldest ones that are not bound are forgotten."""


@dataclass(slots=True)
class Binding:
    """A negotiated m-line that the client sends on."""

    track: UpTrack
    mid: str
    rids: tuple[str, ...] = ()
    ssrcs: tuple[int, ...] = ()
    """Declared media SSRCs; several are the layers of an SSRC simulcast group, smallest first."""
    rtx_ssrcs: Mapping[int, int] = field(default_factory=dict)
    """Retransmission SSRC by media SSRC."""
    nack: bool = False


class InStream:
    """One SSRC of media."""

    __slots__ = (
        "_rows",
        "audio",
        "layer",
        "layout",
        "meter",
        "nacks",
        "reader",
        "row",
        "started",
        "stats",
        "track",
    )

    def __init__(
        self,
        layer: Layer,
        binding: Binding,
        meter: LevelMeter | None,
        layout: Layout,
        table: StreamTable,
    ) -> None:
        self.layer = layer
        self.layout = layout
        """Of the newest packet."""
        self.started = False
        """Its first packet has been delivered."""
        self.track = binding.track
        self.audio = binding.track.kind is MediaKind.AUDIO
        self.meter = meter
        self.nacks = NackRegister(tries=AUDIO_TRIES if self.audio else TRIES) if binding.nack else None
        self.stats = ReceiveStream(binding.track.clock_rate, table.rows, self.nacks)
        self.row = self.stats.row
        """In the table of streams."""
        self._rows = table.rows
        self._rows.word[self.row, LAYER] = layer.row
        if meter is not None:
            table.rows.word[self.row, METER] = meter.row
        self.reader: Reader = reader_for(binding.track.main.mime, table.rows, self.row)

    @property
    def slot(self) -> int:
        """The codec slot of the newest packet's payload type."""
        slot: int = self._rows.word[self.row, SLOT]
        return slot

    @slot.setter
    def slot(self, slot: int) -> None:
        self._rows.word[self.row, SLOT] = slot

    @property
    def frame_timestamp(self) -> int:
        """Of the frame that the newest packet was of, extended; -1 before the first."""
        timestamp: int = self._rows.word[self.row, FRAME]
        return timestamp

    @frame_timestamp.setter
    def frame_timestamp(self, timestamp: int) -> None:
        self._rows.word[self.row, FRAME] = timestamp


class Repair:
    """One SSRC of retransmissions (RFC 4588) for a media stream."""

    __slots__ = ("repairs", "stats")

    def __init__(self, repairs: InStream, table: StreamTable) -> None:
        self.repairs = repairs
        self.stats = ReceiveStream(repairs.track.clock_rate, table.rows)


class Streams:
    """The streams of one transport by SSRC. Counts what it can't place instead of raising."""

    def __init__(
        self,
        source: Callable[[Mapping[int, str]], SourceExtensions],
        speech: SpeechSettings,
        table: StreamTable,
        row: int,
    ) -> None:
        self._speech = speech
        self._make_source = source
        self._table = table
        self._row = row
        self._bindings: dict[str, Binding] = {}
        self.streams: dict[int, InStream] = {}
        self._set_extensions({})
        self.repairs: dict[int, Repair] = {}
        self.forget: Callable[[int], None] = _nothing
        """Drops what SRTP keeps of an SSRC; set once there are keys."""
        self._heard: dict[int, bool] = {}
        """SSRCs that SRTP keeps state for, oldest first, and whether RTCP came of them."""
        self._replaced: dict[int, None] = {}
        """SSRCs that others took the place of, oldest first."""
        self.levels: dict[UpTrack, LevelMeter] = {}
        self.attention = Attention()
        self.unknown = 0
        """Packets that belong to no negotiated stream, or use a payload type that is not negotiated."""
        self.ignored = 0
        """Duplicates, padding, and packets too old."""

    # --- negotiation ---

    def bind(self, binding: Binding, extensions: Mapping[int, str]) -> None:
        """Take packets of an m-line from now on; ``extensions`` are the ids of the whole transport.

        Streams of the track that an earlier binding of the m-line named, and this one doesn't, are forgotten.
        """
        self._bindings[binding.mid] = binding
        for layer in binding.track.layers:
            layer.keyframes.attention = self.attention
        self._end(
            [
                s
                for s, stream in self.streams.items()
                if stream.track is binding.track and not _named(s, stream, binding)
            ]
        )
        self._set_extensions(extensions)
        if binding.track.spec.measure_level and binding.track not in self.levels:
            self.levels[binding.track] = LevelMeter(self._speech, self._table.meters)
        for index, ssrc in enumerate(binding.ssrcs):
            self._bind_media(ssrc, binding, _layer(binding, index, ""))

    def unbind(self, track: UpTrack) -> None:
        """Forget a track's m-line and streams."""
        self._bindings = {mid: b for mid, b in self._bindings.items() if b.track is not track}
        self._forget([s for s, stream in self.streams.items() if stream.track is track])
        meter = self.levels.pop(track, None)
        if meter is not None:
            meter.release()

    def _forget(self, ssrcs: list[int]) -> None:
        """Drop streams and what repairs them."""
        gone = [self._unlist(ssrc) for ssrc in ssrcs]
        for ssrc in [s for s, repair in self.repairs.items() if repair.repairs in gone]:
            self.repairs.pop(ssrc).stats.release()
        if gone:
            self.attention.ring()  # feedback must be about something that is still sent

    def _unlist(self, ssrc: int) -> InStream:
        stream = self.streams.pop(ssrc)
        self._table.index.drop(stream_key(self._row, ssrc))
        del self._table.streams[stream.row]
        stream.stats.release()
        return stream

    def _set_extensions(self, extensions: Mapping[int, str]) -> None:
        self._source = self._make_source(extensions)
        for stream in self.streams.values():
            stream.layout = self._source.none
            self._table.forget_layouts(stream.row)
        self.layouts: dict[int, Layout] = {}
        """The latest layout of each shape of packet."""
        self._mid_id = self._source.id_of(ExtensionUri.MID)
        self._rid_id = self._source.id_of(ExtensionUri.RID)
        self._repaired_id = self._source.id_of(ExtensionUri.REPAIRED_RID)

    def authenticated(self, ssrc: int) -> None:
        """Note the SSRC of a packet, RTP or RTCP, that was authentic; SRTP may have to forget another for it.

        There is no limit to those of a long session, in which tracks come and go; and those of forged packets don't
        count, or forgers would use up the client's share.
        """
        if ssrc in self._heard:
            return
        self._heard[ssrc] = False
        if len(self._heard) > MAX_SSRCS:
            forgotten = next(
                one for one in self._heard if one not in self.streams and one not in self.repairs
            )
            del self._heard[forgotten]
            self._table.index.drop(reporter_key(self._row, forgotten))
            self.forget(forgotten)

    def reported(self, ssrc: int) -> None:
        """Note the SSRC of an RTCP packet that was authentic."""
        if not self._heard.get(ssrc):
            self.authenticated(ssrc)
            self._heard[ssrc] = True
            self._table.index.put(reporter_key(self._row, ssrc), 0)

    def close(self) -> None:
        """Nothing will be asked of it any more; tracks are unbound already."""
        for ssrc in self._heard:
            self._table.index.drop(reporter_key(self._row, ssrc))

    # --- binding of SSRCs that the SDP did not declare (RFC 8843 section 9.2, RFC 8852) ---

    def bind_unknown(
        self, ssrc: int, payload_type: int, layout: Layout, block: int, now: float
    ) -> InStream | None:
        if ssrc in self._replaced:
            self.ignored += 1
            return None
        binding = self._binding_of(_text(layout.value(block, self._mid_id)), payload_type)
        if binding is None or len(self.streams) + len(self.repairs) >= MAX_STREAMS:
            self.unknown += 1
            return None
        repaired = layout.value(block, self._repaired_id)
        if repaired is not None or payload_type not in binding.track.slots:
            self._bind_repair(ssrc, payload_type, binding, _text(repaired))
            return None
        rid = _text(layout.value(block, self._rid_id))
        if binding.rids:
            if rid not in binding.rids:
                self.unknown += 1
                return None
            layer = _layer(binding, 0, rid)
        else:
            layer = _layer(binding, 0, "")
        if now - layer.restarted_at < RESTART_S:
            self.unknown += 1
            return None
        return self._bind_media(ssrc, binding, layer, now)

    def _binding_of(self, mid: str, payload_type: int) -> Binding | None:
        if mid:
            return self._bindings.get(mid)
        fitting = [b for b in self._bindings.values() if payload_type in b.track.slots]
        return fitting[0] if len(fitting) == 1 else None

    def _bind_media(self, ssrc: int, binding: Binding, layer: Layer, now: float | None = None) -> InStream:
        stream = self.streams.get(ssrc)
        if stream is not None and stream.layer is layer:
            return stream
        if stream is not None:
            self._forget([ssrc])
        if any(stream.layer is layer for stream in self.streams.values()):
            self._replace(layer)
            if now is not None:
                layer.restarted_at = now
        layer.ssrc = ssrc
        self._replaced.pop(ssrc, None)
        meter = self.levels.get(binding.track)
        shared = meter is not None and any(other.meter is meter for other in self.streams.values())
        stream = self.streams[ssrc] = InStream(layer, binding, meter, self._source.none, self._table)
        row = stream.row
        self._table.streams[row] = stream
        if not shared:  # else its packets are taken one by one
            self._table.index.put(stream_key(self._row, ssrc), row)
        if stream.nacks is not None:
            stream.nacks.attention = self.attention
        self.attention.ring()  # who waits for the layer can be served now
        rtx_ssrc = binding.rtx_ssrcs.get(ssrc)
        if rtx_ssrc is not None:
            self._repair_with(rtx_ssrc, stream)
        return stream

    def _bind_repair(self, ssrc: int, payload_type: int, binding: Binding, rid: str) -> None:
        codec = next((c for c in binding.track.codecs if c.payload_type == payload_type), None)
        for stream in self.streams.values() if codec is not None and codec.mime.endswith("/rtx") else ():
            if stream.track is binding.track and (not binding.rids or stream.layer.rid == rid):
                self._repair_with(ssrc, stream)
                return
        self.unknown += 1

    def _repair_with(self, ssrc: int, stream: InStream) -> None:
        """From now on an SSRC repairs this stream."""
        before = self.repairs.pop(ssrc, None)
        if before is not None:
            before.stats.release()
        self.repairs[ssrc] = Repair(stream, self._table)

    def _replace(self, layer: Layer) -> None:
        """A new SSRC for a layer replaces the old one."""
        self._end([s for s, stream in self.streams.items() if stream.layer is layer])

    def _end(self, ssrcs: list[int]) -> None:
        """Forget streams whose layers begin anew with what comes next; stragglers are none of it."""
        self._replaced.update(dict.fromkeys(ssrcs))
        while len(self._replaced) > MAX_STREAMS:
            del self._replaced[next(iter(self._replaced))]
        for ssrc in ssrcs:
            self.streams[ssrc].layer.restart()
        self._forget(ssrcs)


def _named(ssrc: int, stream: InStream, binding: Binding) -> bool:
    """Whether a binding allows for a stream: by RID, or by SSRC where it declares any."""
    if binding.rids:
        return stream.layer.rid in binding.rids
    return not binding.ssrcs or ssrc in binding.ssrcs


def _layer(binding: Binding, index: int, rid: str) -> Layer:
    layers = binding.track.layers
    if rid:
        return next(layer for layer in layers if layer.rid == rid)
    return layers[min(index, len(layers) - 1)]


def _text(value: bytes | None) -> str:
    return value.decode("ascii", "replace") if value else ""


def _nothing(ssrc: int) -> None:
    pass
