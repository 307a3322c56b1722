"""What a client sends on one transport: in what order is it, and what does it say."""

from collections.abc import Callable, Mapping

from sfu.compiled.streams import PAYLOAD_TYPE, TIMESTAMP
from sfu.forwarding.binding import InStream, Repair, Streams
from sfu.forwarding.delivery import Delivery, MediaSink
from sfu.forwarding.layout import Layout, SourceExtensions
from sfu.forwarding.stream_table import StreamTable
from sfu.rtp.errors import RtpError
from sfu.rtp.header import FIXED_LENGTH, RtpHead, parse_header
from sfu.streams.arrivals import Arrivals
from sfu.streams.speakers import SpeechSettings

_SHAPES = 64
"""Kinds of packets (by what their first bytes say) whose extension layout one transport remembers."""
_AUDIO_LEVEL_MASK = 0x7F
_TIMESTAMP_MASK = 0xFFFFFFFF


class Ingress(Streams):
    """Receives the RTP of one transport. Counts what it can't use instead of raising."""

    def __init__(
        self,
        sink: MediaSink,
        source: Callable[[Mapping[int, str]], SourceExtensions],
        speech: SpeechSettings,
        arrivals: Arrivals,
        row: int,
        table: StreamTable | None = None,
    ) -> None:
        """``arrivals`` takes transport-wide sequence numbers, ``table`` the streams, both under the transport's
        ``row``; without a table it has one of its own.
        """
        super().__init__(source, speech, StreamTable() if table is None else table, row)
        delivery = Delivery(sink)
        self._sound, self._picture = delivery.sound, delivery.picture
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
        if stream is None:
            self.authenticated(ssrc)
        end = at + length
        extension_at = start = at + FIXED_LENGTH
        if first & 0xEF != 0x80:
            extension_at, start, end = self._bounds(memory, at, end)
        elif first & 0x10:
            start += 4 + 4 * words
        if start > end:
            self.authenticated(ssrc)
            self.malformed += 1
            return
        block = int.from_bytes(memory[extension_at:start], "big")
        layout = self._source.none if stream is None else stream.layout
        if block & layout.mask != layout.pattern:
            fitting = self.fitting(second, block, memory[extension_at:start])
            if fitting is None:
                self.authenticated(ssrc)
                return
            layout = fitting
        if layout.twcc >= 0:
            self._arrivals.record(self._row_bits | block >> layout.twcc & 0xFFFF, arrival_us)
        if stream is None:
            self._other(head, memory[start:end], layout, block, now)
        else:
            stream.layout = layout
            self._table.expect(stream.row, layout, start - extension_at)
            self._media(stream, head, memory[start:end], layout, block, now)

    def _other(self, head: RtpHead, payload: memoryview, layout: Layout, block: int, now: float) -> None:
        """A packet of an SSRC that is no media stream, or not yet."""
        repair = self.repairs.get(head[4])
        if repair is not None:
            self._repair(repair, head, payload, layout, block, now)
            return
        stream = self.bind_unknown(head[4], head[1] & 0x7F, layout, block, now)
        if stream is not None:
            self._media(stream, head, payload, layout, block, now)

    def _media(
        self, stream: InStream, head: RtpHead, payload: memoryview, layout: Layout, block: int, now: float
    ) -> None:
        _, second, sequence, timestamp, *_ = head
        stats = stream.stats
        word, row = self._table.rows.word, stream.row
        if second & 0x7F != word[row, PAYLOAD_TYPE]:
            self.authenticated(head[4])  # there is no other way to begin
            if not self._use_payload_type(stream, second & 0x7F):
                return
        meter = stream.meter
        before = word[row, TIMESTAMP] if meter is not None else 0
        extended = stats.receive(sequence, timestamp, now)
        if extended < 0:
            self.ignored += 1
            return
        if not payload:
            self.ignored += 1
            for rendition in stream.layer.renditions:
                rendition.numbering.drop(extended)
            return
        media_time = word[row, TIMESTAMP]
        if media_time & _TIMESTAMP_MASK != timestamp:
            media_time = stats.extend_timestamp(timestamp)
        if meter is not None and layout.level >= 0:
            duration_ms = (media_time - before) * 1000 // stats.clock_rate
            meter.observe(block >> layout.level & _AUDIO_LEVEL_MASK, duration_ms, now)
        deliver = self._sound if stream.audio else self._picture
        deliver(stream, extended, media_time, second & 0x80, stream.slot, payload, layout, block, now)

    def _use_payload_type(self, stream: InStream, payload_type: int) -> bool:
        """The client sends another codec of the track from now on; False if it has none of that number."""
        slot = stream.track.slots.get(payload_type)
        if slot is None:
            self.unknown += 1
            return False
        self._table.rows.word[stream.row, PAYLOAD_TYPE] = payload_type
        stream.slot = slot
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

    def fitting(self, second: int, block: int, raw: memoryview) -> Layout | None:
        """The layout of a block that is laid out otherwise than the packet before; None if it makes no sense.

        Packets alike in size, marker and payload type mostly share one.
        """
        if not block:
            return self._source.none
        shape = _shape_of(len(raw), second)
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
        extended = stream.stats.recover(payload[0] << 8 | payload[1], now)
        if extended < 0:
            self.ignored += 1
            return
        media_time = stream.stats.extend_timestamp(timestamp)
        deliver = self._sound if stream.audio else self._picture
        deliver(stream, extended, media_time, second & 0x80, 0, payload[2:], layout, block, now)


def _shape_of(size: int, second: int) -> int:
    """What packets have in common that mostly share a layout: the size of the block, and the header's second byte."""
    return size << 8 | second
