"""What a client sends on one transport: whose packet is it, in what order, what does it say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.profile import SourceExtensions
from sfu.forwarding.reader import Reader, reader_for
from sfu.forwarding.uptrack import Layer, UpTrack
from sfu.rtp.errors import RtpError
from sfu.rtp.extensions import ExtensionUri, walk
from sfu.rtp.header import RtpHeader, parse_header
from sfu.streams.attention import Attention
from sfu.streams.feedback import ArrivalLog
from sfu.streams.nack import AUDIO_TRIES, TRIES, NackRegister
from sfu.streams.receive import ReceiveStream
from sfu.streams.speakers import LevelMeter, SpeechSettings

MAX_STREAMS = 128
"""SSRCs that one transport may bind; a client needs three layers and their RTX for each video."""
MAX_SSRCS = 256
"""SSRCs, RTCP's included, that SRTP keeps state for; of more, the oldest ones that are not bound are forgotten."""

_AUDIO_LEVEL_MASK = 0x7F


class MediaSink(Protocol):
    """Where received packets go on."""

    def media(self, layer: Layer, sequence: int, packet: MediaPacket) -> None:
        """One packet of a layer, in the order of arrival."""

    def layer_started(self, layer: Layer) -> None:
        """The layer has come alive (again); its SSRC is known."""


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

    __slots__ = ("frame_timestamp", "layer", "nacks", "reader", "stats", "track")

    def __init__(self, layer: Layer, binding: Binding) -> None:
        self.layer = layer
        self.track = binding.track
        self.stats = ReceiveStream(binding.track.clock_rate)
        self.frame_timestamp = -1
        self.reader: Reader = reader_for(binding.track.main.mime)
        video = binding.track.kind.value == "video"
        self.nacks = NackRegister(tries=TRIES if video else AUDIO_TRIES) if binding.nack else None


class Repair:
    """One SSRC of retransmissions (RFC 4588) for a media stream."""

    __slots__ = ("repairs", "stats")

    def __init__(self, repairs: InStream) -> None:
        self.repairs = repairs
        self.stats = ReceiveStream(repairs.track.clock_rate)


class Ingress:
    """Receives the RTP of one transport. Counts what it can't use instead of raising."""

    def __init__(
        self,
        sink: MediaSink,
        source: Callable[[Mapping[int, str]], SourceExtensions],
        speech: SpeechSettings,
    ) -> None:
        self._sink = sink
        self._speech = speech
        self._make_source = source
        self._bindings: dict[str, Binding] = {}
        self._set_extensions({})
        self.streams: dict[int, InStream] = {}
        self.repairs: dict[int, Repair] = {}
        self._heard: dict[int, None] = {}
        """SSRCs that SRTP keeps state for, oldest first."""
        self._replaced: dict[int, None] = {}
        """SSRCs that others took the place of, oldest first."""
        self.levels: dict[UpTrack, LevelMeter] = {}
        self.arrivals = ArrivalLog()
        self.attention = Attention()
        self.malformed = 0
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
        for index, ssrc in enumerate(binding.ssrcs):
            self._bind_media(ssrc, binding, _layer(binding, index, ""))
        if binding.track.spec.measure_level:
            self.levels.setdefault(binding.track, LevelMeter(self._speech))

    def unbind(self, track: UpTrack) -> None:
        """Forget a track's m-line and streams."""
        self._bindings = {mid: b for mid, b in self._bindings.items() if b.track is not track}
        self._forget([s for s, stream in self.streams.items() if stream.track is track])
        self.levels.pop(track, None)

    def _forget(self, ssrcs: list[int]) -> None:
        """Drop streams and what repairs them."""
        gone = {id(self.streams.pop(ssrc)) for ssrc in ssrcs}
        if gone:
            self.repairs = {s: r for s, r in self.repairs.items() if id(r.repairs) not in gone}

    def _set_extensions(self, extensions: Mapping[int, str]) -> None:
        ids = {uri: id_ for id_, uri in extensions.items()}
        self._source = self._make_source(extensions)
        self._twcc_id = ids.get(ExtensionUri.TRANSPORT_CC, 0)
        self._mid_id = ids.get(ExtensionUri.MID, 0)
        self._rid_id = ids.get(ExtensionUri.RID, 0)
        self._repaired_id = ids.get(ExtensionUri.REPAIRED_RID, 0)
        self._level_id = ids.get(ExtensionUri.AUDIO_LEVEL, 0)

    # --- packets ---

    def authenticated(self, ssrc: int) -> int | None:
        """Note the SSRC of a packet, RTP or RTCP, that was authentic.

        Returns another that SRTP should forget for it. There is no limit to those of a long session, in which tracks
        come and go; and those of forged packets don't count, or forgers would use up the client's share.
        """
        if ssrc in self._heard:
            return None
        self._heard[ssrc] = None
        if len(self._heard) <= MAX_SSRCS:
            return None
        forgotten = next(one for one in self._heard if one not in self.streams and one not in self.repairs)
        del self._heard[forgotten]
        return forgotten

    def receive(self, data: memoryview, arrival_us: int, now: float) -> None:
        """Take one decrypted RTP packet; ``data`` is valid during the call only."""
        try:
            header = parse_header(data, len(data))
            elements = [
                (id_, bytes(data[at : at + size]))
                for id_, at, size in walk(
                    data, header.extension_profile, header.extension_start, header.extension_end
                )
            ]
        except RtpError:
            self.malformed += 1
            return
        for id_, value in elements:
            if id_ == self._twcc_id and len(value) == 2:
                self.arrivals.record(value[0] << 8 | value[1], arrival_us)
                break
        stream = self.streams.get(header.ssrc)
        if stream is None:
            repair = self.repairs.get(header.ssrc)
            if repair is not None:
                self._repair(repair, header, data, elements, now)
                return
            stream = self._bind_unknown(header, elements)
            if stream is None:
                return
        self._media(stream, header, data, elements, now)

    def _media(
        self,
        stream: InStream,
        header: RtpHeader,
        data: memoryview,
        elements: list[tuple[int, bytes]],
        now: float,
    ) -> None:
        slot = stream.track.slots.get(header.payload_type)
        if slot is None:
            self.unknown += 1
            return
        before = stream.stats.timestamp
        sequence = stream.stats.receive(header.sequence, header.timestamp, len(data), now)
        if sequence < 0:
            self.ignored += 1
            return
        if stream.nacks is not None:
            stream.nacks.received(sequence, now)
        if header.payload_start == header.payload_end:
            self.ignored += 1
            for rendition in stream.layer.renditions:
                rendition.numbering.drop(sequence)
            return
        timestamp = stream.stats.extend_timestamp(header.timestamp)
        if self._level_id and stream.track in self.levels:
            self._observe_level(stream, elements, timestamp - before, now)
        self._deliver(
            stream,
            sequence,
            timestamp,
            header,
            data[header.payload_start : header.payload_end],
            elements,
            slot,
            now,
        )

    def _repair(
        self,
        repair: Repair,
        header: RtpHeader,
        data: memoryview,
        elements: list[tuple[int, bytes]],
        now: float,
    ) -> None:
        """Turn a retransmission back into the packet that it repeats."""
        if repair.stats.receive(header.sequence, header.timestamp, len(data), now) < 0:
            self.ignored += 1
            return
        start = header.payload_start
        if header.payload_end - start <= 2:
            self.ignored += 1  # padding that probes for bandwidth
            return
        stream = repair.repairs
        sequence = stream.stats.recover(data[start] << 8 | data[start + 1])
        if sequence < 0:
            self.ignored += 1
            return
        if stream.nacks is not None:
            stream.nacks.received(sequence, now)
        timestamp = stream.stats.extend_timestamp(header.timestamp)
        self._deliver(
            stream, sequence, timestamp, header, data[start + 2 : header.payload_end], elements, 0, now
        )

    def _deliver(
        self,
        stream: InStream,
        sequence: int,
        timestamp: int,
        header: RtpHeader,
        payload: memoryview,
        elements: list[tuple[int, bytes]],
        slot: int,
        now: float,
    ) -> None:
        layer = stream.layer
        packet = stream.reader.read(
            MediaPacket(
                bytes(payload) if layer.history_packets else payload,
                timestamp,
                0x80 if header.marker else 0,
                slot,
                self._source,
                elements,
            )
        )
        layer.last_packet_at = now
        if timestamp != stream.frame_timestamp:
            stream.frame_timestamp = timestamp
            layer.liveness.frame(now)
            layer.clock.observe(timestamp, now)
        if packet.temporal > layer.top_temporal:
            layer.top_temporal = packet.temporal
        if packet.keyframe:
            layer.top_temporal = 0
            if layer.liveness.keyframe(now):
                self._sink.layer_started(layer)
            layer.keyframes.keyframe(now)
        elif not layer.live:
            layer.keyframes.request(now)
        self._sink.media(layer, sequence, packet)

    def _observe_level(
        self, stream: InStream, elements: list[tuple[int, bytes]], ticks: int, now: float
    ) -> None:
        for id_, value in elements:
            if id_ == self._level_id and value:
                duration_ms = 1000.0 * ticks / stream.stats.clock_rate
                self.levels[stream.track].observe(value[0] & _AUDIO_LEVEL_MASK, duration_ms, now)
                return

    # --- binding of SSRCs that the SDP did not declare (RFC 8843 section 9.2, RFC 8852) ---

    def _bind_unknown(self, header: RtpHeader, elements: list[tuple[int, bytes]]) -> InStream | None:
        if header.ssrc in self._replaced:
            self.ignored += 1
            return None
        values = dict(elements)
        binding = self._binding_of(values, header.payload_type)
        if binding is None or len(self.streams) + len(self.repairs) >= MAX_STREAMS:
            self.unknown += 1
            return None
        repaired = values.get(self._repaired_id) if self._repaired_id else None
        if repaired is not None or header.payload_type not in binding.track.slots:
            self._bind_repair(header, binding, repaired)
            return None
        rid = _text(values.get(self._rid_id)) if self._rid_id else ""
        if binding.rids:
            if rid not in binding.rids:
                self.unknown += 1
                return None
            layer = _layer(binding, 0, rid)
        else:
            layer = _layer(binding, 0, "")
        return self._bind_media(header.ssrc, binding, layer)

    def _binding_of(self, values: Mapping[int, bytes], payload_type: int) -> Binding | None:
        mid = _text(values.get(self._mid_id)) if self._mid_id else ""
        if mid:
            return self._bindings.get(mid)
        fitting = [b for b in self._bindings.values() if payload_type in b.track.slots]
        return fitting[0] if len(fitting) == 1 else None

    def _bind_media(self, ssrc: int, binding: Binding, layer: Layer) -> InStream:
        stream = self.streams.get(ssrc)
        if stream is not None and stream.layer is layer:
            return stream
        if any(stream.layer is layer for stream in self.streams.values()):
            self._replace(layer)
        layer.ssrc = ssrc
        self._replaced.pop(ssrc, None)
        stream = self.streams[ssrc] = InStream(layer, binding)
        if stream.nacks is not None:
            stream.nacks.attention = self.attention
        self.attention.ring()  # who waits for the layer can be served now
        rtx_ssrc = binding.rtx_ssrcs.get(ssrc)
        if rtx_ssrc is not None:
            self.repairs[rtx_ssrc] = Repair(stream)
        return stream

    def _bind_repair(self, header: RtpHeader, binding: Binding, repaired: bytes | None) -> None:
        rid = _text(repaired)
        codec = next((c for c in binding.track.codecs if c.payload_type == header.payload_type), None)
        for stream in self.streams.values() if codec is not None and codec.mime.endswith("/rtx") else ():
            if stream.track is binding.track and (not binding.rids or stream.layer.rid == rid):
                self.repairs[header.ssrc] = Repair(stream)
                return
        self.unknown += 1

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
