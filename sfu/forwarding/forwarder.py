"""From a layer's packet to lanes of the matrix: numbers it per rendition, switches down tracks, picks the lane."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from sfu.forwarding.backlog import Backlog
from sfu.forwarding.downtrack import DownTrack, Span
from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.fan import Fan, fan_of
from sfu.forwarding.layout import Layout
from sfu.forwarding.matrix import Lane
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.profile import Profile
from sfu.forwarding.rendition import Rendition
from sfu.forwarding.stream_table import StreamTable
from sfu.forwarding.uptrack import Layer


class Forwarder:
    """One per engine; ``lanes`` are ordered by size. What they take goes at once, the backlog's waits."""

    def __init__(
        self,
        table: DownTrackTable,
        lanes: Sequence[Lane],
        backlog: Backlog,
        seeds: Callable[[], int],
        streams: StreamTable | None = None,
    ) -> None:
        """``streams`` are those that packets come of, where compiled loops are told what they may do."""
        self._table = table
        self._lanes = lanes
        self._neighbours = list(pairwise(lanes))
        self._backlog = backlog
        self._seeds = seeds
        """Random 31-bit numbers, where a down track's counters begin."""
        self._streams = StreamTable() if streams is None else streams
        self._tables = self._streams.forwarding
        self.oversized = 0
        """Packets too large for any lane, dropped."""

    def forward(
        self, layer: Layer, sequence: int, packet: MediaPacket, abs_send_time: int, now: float
    ) -> None:
        """Forward one packet of a layer to all that want it."""
        for rendition in layer.renditions:
            if rendition.waiting:
                self._admit(rendition, sequence, packet, now)
        backlog = self._backlog
        for rendition in layer.renditions:
            late = sequence < rendition.numbering.highest
            taken = rendition.take(sequence, packet)
            if taken is None:
                continue
            number, numbered = taken
            fans = rendition.fanout() if rendition.fans is None else rendition.fans
            if late:
                fans = self._not_before_switch(fans, number)
            waits = backlog.takes(rendition)
            payload, layout, block = numbered[0], numbered[4], numbered[5]
            for profile, fan in fans:
                header, twcc_at = profile.header(layout, block, abs_send_time)
                length = len(header) + len(payload)
                lane = self._lanes[rendition.lane]
                if length > lane.largest:
                    larger = self._larger_lane(rendition, length)
                    if larger is None:
                        continue
                    lane = larger
                stream = id(rendition) ^ id(profile)
                if waits:
                    backlog.add(rendition, header, twcc_at, number, numbered, fan, stream)
                else:
                    lane.add(header, twcc_at, number, numbered, fan, stream)
        self._publish(layer, packet.layout)

    def gather(self) -> None:
        """Where copies are few, have small and large ones in one arena, which saves a system call.

        The small ones then are not kept if the socket's buffer is full.
        """
        for small, large in self._neighbours:
            small.give(large)

    def expand(self) -> None:
        """Write all copies that don't wait; they are sent by whoever empties the lanes' arenas."""
        for lane in self._lanes:
            lane.expand()
        self.expanded()

    def expanded(self) -> None:
        """All copies that don't wait have been written."""
        if self._tables.retired and not self._backlog.gathers:
            self._tables.retired.clear()

    def _publish(self, layer: Layer, layout: Layout) -> None:
        """Let compiled loops take further packets of a layer, if nobody waits."""
        if not layer.ready:
            layer.publish()
        if layer.ready:
            for rendition in layer.renditions:
                for profile, _ in rendition.fanout():
                    self._streams.plan(profile, layout)

    def _admit(self, rendition: Rendition, sequence: int, packet: MediaPacket, now: float) -> None:
        """Let those switch who can, before any rendition takes the packet: else the old one would forward it too."""
        ready = [down for down in rendition.waiting if _may_start(down, rendition, packet)]
        if not ready or rendition.preview(sequence, packet) is None:
            return
        self.expand()  # packets before the switch go out under the old offsets
        for down in ready:
            if not down.start(sequence, packet, now, self._seeds()):
                rendition.layer.keyframes.request(now)

    def _larger_lane(self, rendition: Rendition, length: int) -> Lane | None:
        """Where a packet goes that is too large for the rendition's lane; None if it is so for all."""
        for index, larger in enumerate(self._lanes):
            if length <= larger.largest:
                rendition.lane = index
                return larger
        self.oversized += 1
        return None

    def _not_before_switch(self, fans: list[tuple[Profile, Fan]], number: int) -> list[tuple[Profile, Fan]]:
        since = self._table.since
        kept = [(profile, fan_of(fan.rows[since[fan.rows] <= number])) for profile, fan in fans]
        return [(profile, fan) for profile, fan in kept if fan.size]


def retransmission(
    down: DownTrack, span: Span, number: int, packet: MediaPacket, abs_send_time: bytes
) -> bytes:
    """The RTX packet (RFC 4588) for a stored packet, without the transport-wide number.

    Its payload is the original sequence number as the subscriber knows it, then what was sent first time.
    """
    sent = int.from_bytes(abs_send_time, "big")
    header, _ = down.profile.header(packet.layout, packet.block, sent)
    out = bytearray(header)
    out[1] = packet.marker | down.rtx_payload_type
    down.rtx_sequence = (down.rtx_sequence + 1) & 0xFFFF
    out[2:4] = down.rtx_sequence.to_bytes(2, "big")
    out[4:8] = ((packet.timestamp - span.timestamp) & 0xFFFFFFFF).to_bytes(4, "big")
    out[8:12] = down.rtx_ssrc.to_bytes(4, "big")
    out += ((number - span.sequence) & 0xFFFF).to_bytes(2, "big")
    payload_at = len(out)
    out += packet.payload
    if packet.picture >= 0:
        picture = (packet.picture - span.picture) & 0x7FFF
        at = payload_at + packet.picture_at
        out[at : at + 2] = (0x8000 | picture).to_bytes(2, "big")
        if packet.tl0_at:
            out[payload_at + packet.tl0_at] = (packet.tl0 - span.tl0) & 0xFF
        if packet.key_index_at:
            at = payload_at + packet.key_index_at
            out[at] = (out[at] & 0xE0) | ((packet.key_index - span.key_index) & 0x1F)
    return bytes(out)


def _may_start(down: DownTrack, rendition: Rendition, packet: MediaPacket) -> bool:
    """Whether a waiting down track can be decoded from this packet on."""
    if packet.keyframe:
        return True
    current = down.rendition
    if current is None or current.layer is not rendition.layer or not packet.picture_start:
        return False
    if rendition.temporal < current.temporal:
        return packet.temporal == 0
    # Upper layers that come later may refer to anything since this picture, so it must be of the highest.
    return packet.layer_sync and packet.temporal >= min(rendition.temporal, rendition.layer.top_temporal)
