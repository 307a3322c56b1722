"""What a client sends on one transport: in what order is it, and what does it say."""

from collections.abc import Callable, Mapping
from typing import Protocol

from sfu.forwarding.binding import InStream, Repair, Streams
from sfu.forwarding.layout import Layout, SourceExtensions
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.uptrack import Layer
from sfu.rtp.errors import RtpError
from sfu.rtp.header import FIXED_LENGTH, RtpHead, parse_header
from sfu.streams.arrivals import Arrivals
from sfu.streams.speakers import SpeechSettings

_SHAPES = 64
"""Kinds of packets (by what their first bytes say) whose extension layout one transport remembers."""
_AUDIO_CLOCK = 8
"""One in so many packets of audio is enough to know how its timestamps relate to real time."""
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
        arrivals: Arrivals,
        row: int,
    ) -> None:
        """``arrivals`` takes transport-wide sequence numbers, under the transport's ``row``."""
        super().__init__(source, speech)
        self._sink = sink
        self._arrivals = arrivals
        self._row_bits = row << 16
        self.malformed = 0

    def receive(
        self, memory: memoryview, at: int, length: int, head: RtpHead, arrival_us: int, now: float
    ) -> None:
        """Take one decrypted RTP packet, ``length`` bytes from ``at`` on; ``memory`` is valid during the call only.

        ``head`` is what FIXED_HEAD reads of it.
        """
        first, second, _, _, ssrc, _, words = head
        stream = self.streams.get(ssrc)
        if stream is None or stream.stats.highest < 0:
            self.authenticated(ssrc)
        end = at + length
        extension_at = start = at + FIXED_LENGTH
        if first & 0xEF != 0x80:
            extension_at, start, end = self._bounds(memory, at, end)
        elif first & 0x10:
            start += 4 + 4 * words
        if start > end:
            self.malformed += 1
            return
        block = int.from_bytes(memory[extension_at:start], "big")
        layout = self._source.none if stream is None else stream.layout
        if block & layout.mask != layout.pattern:
            fitting = self._fitting(second, block, memory[extension_at:start])
            if fitting is None:
                return
            layout = fitting
        if layout.twcc >= 0:
            self._arrivals.record(self._row_bits | block >> layout.twcc & 0xFFFF, arrival_us)
        if stream is None:
            self._other(head, memory[start:end], layout, block, now)
        else:
            stream.layout = layout
            self._media(stream, head, memory[start:end], layout, block, now)

    def _other(self, head: RtpHead, payload: memoryview, layout: Layout, block: int, now: float) -> None:
        """A packet of an SSRC that is no media stream, or not yet."""
        repair = self.repairs.get(head[4])
        if repair is not None:
            self._repair(repair, head, payload, layout, block, now)
            return
        stream = self.bind_unknown(head[4], head[1] & 0x7F, layout, block)
        if stream is not None:
            self._media(stream, head, payload, layout, block, now)

    def _media(
        self, stream: InStream, head: RtpHead, payload: memoryview, layout: Layout, block: int, now: float
    ) -> None:
        _, second, sequence, timestamp, *_ = head
        if second & 0x7F != stream.payload_type and not self._use_payload_type(stream, second & 0x7F):
            return
        stats = stream.stats
        before = stats.timestamp
        extended = stats.receive(sequence, timestamp, now)
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
            duration_ms = (media_time - before) * 1000 // stats.clock_rate
            stream.meter.observe(block >> layout.level & _AUDIO_LEVEL_MASK, duration_ms, now)
        deliver = self._sound if stream.audio else self._picture
        deliver(stream, extended, media_time, second & 0x80, stream.slot, payload, layout, block, now)

    def _use_payload_type(self, stream: InStream, payload_type: int) -> bool:
        """The client sends another codec of the track from now on; False if it has none of that number."""
        slot = stream.track.slots.get(payload_type)
        if slot is None:
            self.unknown += 1
            return False
        stream.payload_type, stream.slot = payload_type, slot
        return True

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

    def _fitting(self, second: int, block: int, raw: memoryview) -> Layout | None:
        """The layout of a block that is laid out otherwise than the packet before; None if it makes no sense.

        Packets alike in size, marker and payload type mostly share one.
        """
        if not block:
            return self._source.none
        shape = len(raw) << 8 | second
        known = self.layouts.get(shape)
        if known is not None and block & known.mask == known.pattern:
            return known
        try:
            layout = self._source.layout(raw)
        except RtpError:
            self.malformed += 1
            return None
        if len(self.layouts) >= _SHAPES:
            self.layouts.clear()
        self.layouts[shape] = layout
        return layout

    def _repair(
        self, repair: Repair, head: RtpHead, payload: memoryview, layout: Layout, block: int, now: float
    ) -> None:
        """Turn a retransmission back into the packet that it repeats."""
        _, second, sequence, timestamp, *_ = head
        if repair.stats.receive(sequence, timestamp, now) < 0:
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
        deliver = self._sound if stream.audio else self._picture
        deliver(stream, extended, media_time, second & 0x80, 0, payload[2:], layout, block, now)

    def _sound(
        self,
        stream: InStream,
        sequence: int,
        timestamp: int,
        marker: int,
        slot: int,
        payload: memoryview,
        layout: Layout,
        block: int,
        now: float,
    ) -> None:
        """A packet of audio, where every one may be the first for somebody."""
        layer = stream.layer
        layer.last_packet_at = now
        if sequence % _AUDIO_CLOCK == 0 or not stream.started:
            layer.clock.observe(timestamp, now)
        if not stream.started:
            stream.started = True
            if layer.liveness.keyframe(now):
                self._sink.layer_started(layer)
        if layer.renditions:
            packet = stream.reader.read(payload, timestamp, marker, slot, layout, block)
            self._sink.media(layer, sequence, packet)

    def _picture(
        self,
        stream: InStream,
        sequence: int,
        timestamp: int,
        marker: int,
        slot: int,
        payload: memoryview,
        layout: Layout,
        block: int,
        now: float,
    ) -> None:
        """A packet of video; its payload is kept where it may have to be sent again."""
        layer = stream.layer
        layer.last_packet_at = now
        if timestamp != stream.frame_timestamp:
            stream.frame_timestamp = timestamp
            layer.frame(timestamp, now)
        kept = bytes(payload) if layer.history_packets else payload
        packet = stream.reader.read(kept, timestamp, marker, slot, layout, block)
        if packet.temporal > layer.top_temporal:
            layer.top_temporal = packet.temporal
        if packet.keyframe:
            layer.top_temporal = 0
            if layer.liveness.keyframe(now):
                self._sink.layer_started(layer)
            layer.keyframes.keyframe(now)
        elif not layer.liveness.live:
            layer.keyframes.request(now)
        self._sink.media(layer, sequence, packet)
