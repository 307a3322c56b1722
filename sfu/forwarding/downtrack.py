"""Subscribed tracks: which rendition a subscriber gets now and next, and how its numbers map to the publisher's."""

from typing import NamedTuple

from sfu.control import TrackId, TransportId
from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.profile import Profile
from sfu.forwarding.rendition import ALL_TEMPORAL, Rendition
from sfu.forwarding.uptrack import UpTrack
from sfu.rtp.sequence import extend, extend32
from sfu.streams.retransmit import RetransmitLimiter
from sfu.streams.sender_report import SenderReports
from sfu.streams.timeline import Timeline

SWITCHES = 16
"""Changes of rendition that can still be looked up for retransmission; NACKs reach back a second or two."""

NO_EXTENSIONS = Profile({})


class Span(NamedTuple):
    """From ``first`` on, the subscriber's numbers came from this rendition with these offsets (source minus out)."""

    first: int
    rendition: Rendition
    sequence: int
    timestamp: int
    picture: int
    tl0: int
    key_index: int


class _Numbers(NamedTuple):
    """Numbers as they go to the subscriber, extended."""

    sequence: int
    timestamp: int
    picture: int
    tl0: int
    key_index: int


class DownTrack:
    """One (subscriber, track). Its per-packet numbers are a row of the table; this is what changes now and then."""

    __slots__ = (
        "_last_out",
        "_muted",
        "_octets_before",
        "_packets_before",
        "_sent_before",
        "_spans",
        "_table",
        "_timeline",
        "bound",
        "enabled",
        "limiter",
        "mid",
        "peer",
        "plain",
        "profile",
        "rendition",
        "reports",
        "row",
        "rtx_payload_type",
        "rtx_sequence",
        "rtx_ssrc",
        "spatial",
        "ssrc",
        "stream_id",
        "target",
        "temporal",
        "track",
        "transport_id",
    )

    def __init__(
        self,
        table: DownTrackTable,
        transport_id: TransportId,
        peer: int,
        track: UpTrack,
        stream_id: str,
        ssrcs: tuple[int, int],
    ) -> None:
        self._table = table
        self.transport_id = transport_id
        self.peer = peer
        self.track = track
        self.stream_id = stream_id
        self.ssrc, self.rtx_ssrc = ssrcs
        self.row = table.allocate(peer, self.ssrc)
        self.profile = NO_EXTENSIONS
        self.plain = False
        self.rtx_payload_type = 0
        """0 while retransmission is not negotiated."""
        self.rtx_sequence = 0
        self.mid = ""
        """The m-line that carries it; empty until negotiated."""
        self.bound = False
        self.enabled = True
        self.spatial = 2
        self.temporal = ALL_TEMPORAL
        self.rendition: Rendition | None = None
        self.target: Rendition | None = None
        self.limiter: RetransmitLimiter | None = None
        """Made with the first retransmission."""
        self.reports = SenderReports(track.clock_rate)
        self._muted = False
        self._timeline = Timeline(track.clock_rate)
        self._spans: list[Span] = []
        self._last_out = _Numbers(0, 0, 0, 0, 0)
        self._sent_before = (0, 0)
        self._packets_before = 0
        self._octets_before = 0

    @property
    def track_id(self) -> TrackId:
        return self.track.track_id

    @property
    def negotiated(self) -> bool:
        return bool(self.mid)

    @property
    def span(self) -> Span | None:
        """The mapping in force since the last switch; None before the first packet."""
        return self._spans[-1] if self._spans else None

    def last_out(self) -> _Numbers:
        """The newest numbers sent."""
        rendition = self.rendition
        if rendition is None:
            return self._last_out
        span = self._spans[-1]
        return _Numbers(
            rendition.numbering.last - span.sequence,
            rendition.timestamp - span.timestamp,
            rendition.picture - span.picture,
            rendition.tl0 - span.tl0,
            rendition.key_index - span.key_index,
        )

    def sent(self) -> tuple[int, int]:
        """Packets and payload octets sent, retransmissions left out."""
        packets, octets = self._sent_before
        if self.rendition is not None:
            packets += self.rendition.packets - self._packets_before
            octets += self.rendition.octets - self._octets_before
        return packets, octets

    def aim(self, rendition: Rendition | None, *, muted: bool = False) -> None:
        """Set what to forward next; the switch happens at that rendition's next switching point.

        ``muted`` when there is nothing to forward because the publisher muted: its clock may stand meanwhile.
        """
        self._muted |= muted
        if rendition is self.target:
            return
        if self.target is not None and self.target is not self.rendition:
            self.target.waiting.discard(self)
        self.target = rendition
        if rendition is None:
            self.stop()
        elif rendition is not self.rendition:
            rendition.expect(self)
            rendition.layer.keyframes.attention.ring()

    def stop(self) -> None:
        """Forward nothing, remembering where the numbers stood."""
        if self.rendition is not None:
            self._leave(self.rendition)
        if self.target is not None:
            self.target.waiting.discard(self)
            self.target = None

    def start(self, source: int, packet: MediaPacket, now: float, seed: int) -> bool:
        """Switch to the target rendition at this packet of its layer, which no rendition has taken yet.

        ``source`` is the packet's number in the layer. False when the switch has to wait for a later key frame,
        because the timestamps can't be aligned yet.
        """
        rendition = self.target
        assert rendition is not None
        found = rendition.preview(source, packet)
        first = self._first(rendition, source, packet, now, seed)
        if found is None or first is None:
            return False
        number, numbered = found
        if self.rendition is not None:
            self._leave(self.rendition)
        span = Span(
            first.sequence,
            rendition,
            number - first.sequence,
            packet.timestamp - first.timestamp,
            numbered.picture - first.picture if packet.picture >= 0 else 0,
            packet.tl0 - first.tl0 if packet.tl0_at else 0,
            packet.key_index - first.key_index if packet.key_index_at else 0,
        )
        self._spans = [*self._spans[-(SWITCHES - 1) :], span]
        self._table.set_offsets(self.row, span[2:], number)
        self.rendition = rendition
        self._packets_before, self._octets_before = rendition.packets, rendition.octets
        rendition.join(self)
        return True

    def _first(
        self, rendition: Rendition, source: int, packet: MediaPacket, now: float, seed: int
    ) -> _Numbers | None:
        """What the first packet of a rendition goes out with; None when its timestamp isn't known yet."""
        clock, wire = rendition.layer.clock, packet.timestamp & 0xFFFFFFFF
        if not self._spans:
            # A small first number leaves the receiver's rollover counter no doubt (RFC 3711 section 3.3.1).
            self._timeline.start(clock, wire, seed, now)
            return _Numbers(1 + (seed & 0x7FFF), seed, 1 + (seed & 0x7FFF), 1 + (seed & 0xFF), 1)
        if self.rendition is not None and self.rendition.layer is rendition.layer:
            return self._going_on(self.rendition, source, packet)
        last = self.last_out()
        if self.rendition is None:
            out: int | None = self._timeline.resume(clock, wire, last.timestamp & 0xFFFFFFFF, now)
        else:
            out = self._timeline.switch(clock, wire, last.timestamp & 0xFFFFFFFF, now)
        if out is None:
            return None
        timestamp = extend32(last.timestamp, out)
        return _Numbers(last.sequence + 1, timestamp, last.picture + 1, last.tl0 + 1, last.key_index + 1)

    def _going_on(self, current: Rendition, source: int, packet: MediaPacket) -> _Numbers | None:
        """What the packet would go out with under the current filter, were it not filtered: gaps of loss stay."""
        number = current.numbering.preview(source)
        if number is None:
            return None
        span = self._spans[-1]
        return _Numbers(
            number - span.sequence,
            packet.timestamp - span.timestamp,
            packet.picture - current.numbering.picture_offset - span.picture,
            packet.tl0 - span.tl0,
            packet.key_index - span.key_index,
        )

    def find(self, sequence16: int) -> tuple[Span, int, MediaPacket] | None:
        """The packet that went out under a sequence number, as stored, and its number in its rendition."""
        if not self._spans:
            return None
        out = extend(self.last_out().sequence, sequence16)
        for span in reversed(self._spans):
            if out >= span.first:
                history = span.rendition.history
                source = out + span.sequence
                packet = history.find(source) if history is not None else None
                return (span, source, packet) if packet is not None else None
        return None

    def release(self) -> None:
        """Leave everything; the row may be reused afterwards."""
        self.stop()
        self._table.release(self.row)

    def _leave(self, rendition: Rendition) -> None:
        self._last_out = self.last_out()
        self._sent_before = self.sent()
        rendition.leave(self)
        self.rendition = None
