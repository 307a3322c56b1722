"""What a client sends on one transport: in what order is it, and what does it say."""

from collections.abc import Callable, Mapping
from typing import Protocol

from sfu.forwarding.binding import InStream, Repair, Streams
from sfu.forwarding.layout import Layout, SourceExtensions
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.uptrack import Layer
from sfu.rtp.errors import RtpError
from sfu.rtp.header import FIXED_LENGTH, RtpHead, parse_header
from sfu.streams.feedback import ArrivalLog
from sfu.streams.speakers import SpeechSettings

_SHAPES = 64
"""Kinds of packets (by what their first bytes say) whose extension layout one transport remembers."""
_AUDIO_LEVEL_MASK = 0x7F
_TIMESTAMP_MASK = 0xFFFFFFFF


class MediaSink(Protocol):
    """Where received packets go on."""

    def media(self, layer: Layer, sequence: int, packet: MediaPacket) -> None:
        """One packet of a layer, in the order of arrival."""

    def layer_started(self, layer: Layer) -> None:
        """The layer has come alive (again); its SSRC is known."""


class Ingress(Streams):
    """Receives the RTP of one transport. Counts what it can't use instead of raising."""

    def __init__(
        self,
        sink: MediaSink,
        source: Callable[[Mapping[int, str]], SourceExtensions],
        speech: SpeechSettings,
    ) -> None:
        super().__init__(source, speech)
        self._sink = sink
        self.arrivals = ArrivalLog()
        self.malformed = 0

    def receive(
        self, memory: memoryview, at: int, length: int, head: RtpHead, arrival_us: int, now: float
    ) -> None:
        """Take one decrypted RTP packet, ``length`` bytes from ``at`` on; ``memory`` is valid during the call only.

        ``head`` is what FIXED_HEAD reads of it.
        """
        first, second, _, _, ssrc, _, words = head
        end = at + length
        extension_at = start = at + FIXED_LENGTH
        if first & 0xEF != 0x80:
            extension_at, start, end = self._bounds(memory, at, end)
        elif first & 0x10:
            start += 4 + 4 * words
        if start > end:
            self.malformed += 1
            return
        layout, block = self._source.none, 0
        if start > extension_at:
            block = int.from_bytes(memory[extension_at:start], "big")
            shape = start - extension_at << 8 | second
            known = self.layouts.get(shape)
            if known is None or block & known.mask != known.pattern:
                known = self._learn(shape, memory[extension_at:start])
                if known is None:
                    return
            layout = known
            if layout.twcc >= 0:
                self.arrivals.record(block >> layout.twcc & 0xFFFF, arrival_us)
        stream = self.streams.get(ssrc)
        if stream is None:
            self._other(head, length, memory[start:end], layout, block, now)
        else:
            self._media(stream, head, length, memory[start:end], layout, block, now)

    def _other(
        self, head: RtpHead, length: int, payload: memoryview, layout: Layout, block: int, now: float
    ) -> None:
        """A packet of an SSRC that is no media stream, or not yet."""
        repair = self.repairs.get(head[4])
        if repair is not None:
            self._repair(repair, head, length, payload, layout, block, now)
            return
        stream = self.bind_unknown(head[4], head[1] & 0x7F, layout, block)
        if stream is not None:
            self._media(stream, head, length, payload, layout, block, now)

    def _media(
        self,
        stream: InStream,
        head: RtpHead,
        length: int,
        payload: memoryview,
        layout: Layout,
        block: int,
        now: float,
    ) -> None:
        _, second, sequence, timestamp, *_ = head
        slot = stream.slots.get(second & 0x7F)
        if slot is None:
            self.unknown += 1
            return
        stats = stream.stats
        before = stats.timestamp
        extended = stats.receive(sequence, timestamp, length, now)
        if extended < 0:
            self.ignored += 1
            return
        if stream.nacks is not None:
            stream.nacks.received(extended, now)
        if not payload:
            self.ignored += 1
            for rendition in stream.layer.renditions:
                rendition.numbering.drop(extended)
            return
        media_time = stats.timestamp
        if media_time & _TIMESTAMP_MASK != timestamp:
            media_time = stats.extend_timestamp(timestamp)
        if stream.meter is not None and layout.level >= 0:
            level = block >> layout.level & _AUDIO_LEVEL_MASK
            stream.meter.observe(level, (media_time - before) * stream.tick_ms, now)
        self._deliver(stream, extended, media_time, second & 0x80, payload, layout, block, slot, now)

    def _bounds(self, memory: memoryview, at: int, end: int) -> tuple[int, int, int]:
        """Where extension block and payload begin and the payload ends, in a packet with CSRCs or padding.

        The payload of what is malformed ends before it begins.
        """
        try:
            header = parse_header(memory[at:end], end - at)
        except RtpError:
            return 0, 1, 0
        extension_at = at + FIXED_LENGTH + 4 * (memory[at] & 0x0F)
        return extension_at, at + header.payload_start, at + header.payload_end

    def _learn(self, shape: int, block: memoryview) -> Layout | None:
        """Read a block that the layout known for its shape does not fit."""
        try:
            layout = self._source.layout(block)
        except RtpError:
            self.malformed += 1
            return None
        if len(self.layouts) >= _SHAPES:
            self.layouts.clear()
        self.layouts[shape] = layout
        return layout

    def _repair(
        self,
        repair: Repair,
        head: RtpHead,
        length: int,
        payload: memoryview,
        layout: Layout,
        block: int,
        now: float,
    ) -> None:
        """Turn a retransmission back into the packet that it repeats."""
        _, second, sequence, timestamp, *_ = head
        if repair.stats.receive(sequence, timestamp, length, now) < 0:
            self.ignored += 1
            return
        if len(payload) <= 2:
            self.ignored += 1  # padding that probes for bandwidth
            return
        stream = repair.repairs
        extended = stream.stats.recover(payload[0] << 8 | payload[1])
        if extended < 0:
            self.ignored += 1
            return
        if stream.nacks is not None:
            stream.nacks.received(extended, now)
        media_time = stream.stats.extend_timestamp(timestamp)
        self._deliver(stream, extended, media_time, second & 0x80, payload[2:], layout, block, 0, now)

    def _deliver(
        self,
        stream: InStream,
        sequence: int,
        timestamp: int,
        marker: int,
        payload: memoryview,
        layout: Layout,
        block: int,
        slot: int,
        now: float,
    ) -> None:
        layer = stream.layer
        layer.last_packet_at = now
        if timestamp != stream.frame_timestamp:
            stream.frame_timestamp = timestamp
            layer.frame(timestamp, now)
        if stream.audio:
            if not layer.liveness.live and layer.liveness.keyframe(now):
                self._sink.layer_started(layer)
            if not layer.renditions:
                return
        packet = stream.reader.read(
            bytes(payload) if layer.history_packets else payload, timestamp, marker, slot, layout, block
        )
        if not stream.audio:
            self._picture(layer, packet, now)
        self._sink.media(layer, sequence, packet)

    def _picture(self, layer: Layer, packet: MediaPacket, now: float) -> None:
        """Note what a packet of video says of its layer."""
        if packet.temporal > layer.top_temporal:
            layer.top_temporal = packet.temporal
        if packet.keyframe:
            layer.top_temporal = 0
            if layer.liveness.keyframe(now):
                self._sink.layer_started(layer)
            layer.keyframes.keyframe(now)
        elif not layer.liveness.live:
            layer.keyframes.request(now)
