"""The matrix: a batch of packets times the down tracks that want them, written by column.

Each incoming packet becomes a *template*: the bytes that all its copies share, one for each extension profile in use
among the subscribers. ``expand`` turns templates and their down tracks into a flat list of (template, down track)
pairs ordered by destination, copies the bytes, and computes sequence numbers, timestamps, SSRCs, payload types,
picture ids and transport-wide sequence numbers for all pairs at once. Nothing here runs per forwarded packet.
"""

import struct
from collections.abc import Callable

import numpy as np

from sfu.forwarding.arena import SendArena
from sfu.forwarding.downtracks import (
    KEY_INDEX,
    PAYLOAD_TYPE,
    PEER,
    PICTURE,
    SEQUENCE,
    SSRC,
    TIMESTAMP,
    TL0,
    DownTrackTable,
)
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.packing import arrange
from sfu.net.arrays import Int32s, Int64s, UInt8s

SRTP_TAG_BYTES = 16
"""The longest authentication tag that protection appends (RFC 7714)."""

TEMPLATES = 512
FEW = 48
"""Copies up to which they are written one by one."""
_PADDING_BIT = 0x20
_FIXED = struct.Struct("!BHII")
_WORD = struct.Struct("!H")
_RECORD = struct.Struct("=13q")
"""The numbers of a template, before each down track's offsets are taken away; a column each:"""
_LENGTH, _PAYLOAD_AT, _TWCC_AT, _SEQUENCE, _TIMESTAMP, _MARKER, _SLOT, _PICTURE = range(8)
_PICTURE_AT, _TL0, _TL0_AT, _KEY_INDEX, _KEY_INDEX_AT = range(8, 13)


class Lane:
    """Templates and send rows of one size class, so that copying a small packet does not cost a large row."""

    def __init__(
        self,
        stride: int,
        capacity: int,
        downtracks: DownTrackTable,
        twcc_counters: Callable[[], Int64s],
        drain: Callable[[SendArena], None],
        *,
        pad: bool = False,
    ) -> None:
        """``pad``: make packets of a frame equally long where that is cheap, for UDP GSO."""
        self.largest = stride - SRTP_TAG_BYTES
        """Bytes of the longest template."""
        self.arena = SendArena(capacity, stride)
        self._downtracks = downtracks
        self._twcc_counters = twcc_counters
        self._drain = drain
        self._pad = pad
        self._templates: UInt8s = np.zeros((TEMPLATES, stride), np.uint8)
        self._template_bytes = self._templates.data.cast("B")
        self._records: Int64s = np.zeros((TEMPLATES, _RECORD.size // 8), np.int64)
        self._record_bytes = self._records.data.cast("B")
        self._stride = stride
        self._reset()

    def _reset(self) -> None:
        self._downs: list[Int32s] = []
        self._has_pictures = False
        self._has_slots = False
        self._all_pictures = False
        self._has_twcc = False
        self._twcc_place = 0
        """Where the transport-wide number is in all templates; 0 when that differs."""

    def add(self, header: bytes, twcc_at: int, number: int, packet: MediaPacket, downs: Int32s) -> None:
        """Add a packet for ``downs`` (rows of the down track table) under its number in the rendition they forward.

        ``header`` is the RTP header with its extension block; ``twcc_at`` the offset in it of the transport-wide
        sequence number to stamp, 0 for none.
        """
        index = len(self._downs)
        if index == TEMPLATES:
            self.expand()
            index = 0
        payload, timestamp, marker, slot = packet[:4]
        start = index * self._stride
        payload_at = len(header)
        length = payload_at + len(payload)
        self._template_bytes[start : start + payload_at] = header
        self._template_bytes[start + payload_at : start + length] = payload
        numbers = (length, payload_at, twcc_at, number, timestamp, marker, slot)
        # The rest of the columns are the packet's fields from ``picture`` on.
        _RECORD.pack_into(self._record_bytes, index * _RECORD.size, *numbers, *packet[10:])
        self._downs.append(downs)
        if packet.picture >= 0:
            self._has_pictures = True
        if slot:
            self._has_slots = True

    def expand(self) -> None:
        """Write a row of the arena for each pair collected since the last call."""
        if not self._downs:
            return
        order = self._arrange()
        if sum(map(len, self._downs)) <= FEW:
            self._write_few(order)
            self._reset()
            return
        columns = self._records[: len(self._downs)]
        twcc_at, pictures = columns[:, _TWCC_AT], columns[:, _PICTURE]
        self._has_twcc = bool(twcc_at.any())
        self._twcc_place = int(twcc_at[0]) if (twcc_at == twcc_at[0]).all() else 0
        self._all_pictures = bool((pictures >= 0).all())
        downs, templates = self._pairs(order)
        start = 0
        while start < len(downs):
            if self.arena.count == self.arena.capacity:
                self._drain(self.arena)
            stop = min(len(downs), start + self.arena.capacity - self.arena.count)
            self._write(downs[start:stop], templates[start:stop], columns)
            start = stop
        self._reset()

    def _arrange(self) -> list[int]:
        """The order in which each destination gets the templates; pads them on the way."""
        count = len(self._downs)
        if count == 1:
            return [0]
        streams = [id(downs) for downs in self._downs]
        lengths = self._records[:count, _LENGTH].tolist()
        order, padded = arrange(streams, self._records[:count, _TIMESTAMP].tolist(), lengths, pad=self._pad)
        if padded != lengths:
            for index, (length, wanted) in enumerate(zip(lengths, padded, strict=True)):
                if length != wanted:
                    self._pad_template(index, length, wanted)
        return order

    def _pad_template(self, index: int, length: int, wanted: int) -> None:
        start = index * self._stride
        padding = wanted - length
        self._template_bytes[start] |= _PADDING_BIT
        self._template_bytes[start + length : start + wanted] = bytes(padding - 1) + bytes((padding,))
        self._records[index, _LENGTH] = wanted

    def _pairs(self, order: list[int]) -> tuple[Int32s, Int64s]:
        """All pairs of down track and template, ordered by destination and for each of them as ``order`` says."""
        first = self._downs[0]
        templates = np.array(order)
        if all(downs is first for downs in self._downs):
            return np.repeat(first, len(order)), np.tile(templates, len(first))
        arranged = [self._downs[index] for index in order]
        downs = np.concatenate(arranged)
        templates = np.repeat(templates, np.fromiter(map(len, arranged), np.int64, len(arranged)))
        by_peer = np.argsort(self._downtracks.peer[downs], kind="stable")
        return downs[by_peer], templates[by_peer]

    def _write(self, downs: Int32s, templates: Int64s, columns: Int64s) -> None:
        arena = self.arena
        first, last = arena.count, arena.count + len(downs)
        rows = arena.rows[first:last]
        np.take(self._templates, templates, axis=0, out=rows, mode="clip")
        ours, theirs = columns.take(templates, axis=0), self._downtracks.matrix.take(downs, axis=0)
        payload_type = theirs[:, PAYLOAD_TYPE]
        if self._has_slots:
            payload_type = np.where(ours[:, _SLOT], theirs[:, PAYLOAD_TYPE + 1], payload_type)
        rows[:, 1] = payload_type | ours[:, _MARKER]
        out = ours[:, _SEQUENCE : _TIMESTAMP + 1] - theirs[:, : TIMESTAMP + 1]
        # Assignment to the narrower type keeps the low bits.
        arena.be16[first:last, 1] = out[:, 0]
        arena.be32[first:last, 1] = out[:, 1]
        arena.be32[first:last, 2] = theirs[:, SSRC]
        arena.lengths[first:last] = ours[:, _LENGTH]
        peers = arena.peers[first:last]
        peers[:] = theirs[:, PEER]
        if self._has_twcc:
            self._stamp(first, ours[:, _TWCC_AT], peers)
        if self._has_pictures:
            self._write_pictures(first, ours, theirs)
        arena.count = last

    def _stamp(self, first: int, at: Int64s, peers: Int32s) -> None:
        """Number the packets of each peer transport-wide, in the order in which they will be sent."""
        counters = self._twcc_counters()
        new = np.empty(len(peers), np.bool_)
        new[0] = True
        np.not_equal(peers[1:], peers[:-1], out=new[1:])
        starts = new.nonzero()[0]
        targets = peers[starts]
        lengths = np.append(starts[1:], len(peers)) - starts
        arena, stop = self.arena, first + len(peers)
        if self._twcc_place:
            numbers = np.arange(len(peers)) + (counters[targets] - starts).repeat(lengths)
            counters[targets] += lengths
            arena.rows[first:stop, self._twcc_place] = numbers >> 8
            arena.rows[first:stop, self._twcc_place + 1] = numbers
            return
        stamped = at > 0
        running = stamped.cumsum()
        before = running[starts] - stamped[starts]
        numbers = running + (counters[targets] - 1 - before).repeat(lengths)
        counters[targets] += running[starts + lengths - 1] - before
        where = (arena.offsets[first:stop] + at)[stamped]
        arena.flat[where] = (numbers >> 8)[stamped]
        arena.flat[where + 1] = numbers[stamped]

    def _write_pictures(self, first: int, ours: Int64s, theirs: Int64s) -> None:
        """Rewrite VP8 payload descriptors (RFC 7741 section 4.2)."""
        flat = self.arena.flat
        start = self.arena.offsets[first : first + len(ours)]
        if not self._all_pictures:
            chosen = (ours[:, _PICTURE] >= 0).nonzero()[0]
            ours, theirs, start = ours[chosen], theirs[chosen], start[chosen]
        payload = start + ours[:, _PAYLOAD_AT]
        picture = ours[:, _PICTURE] - theirs[:, PICTURE]
        where = payload + ours[:, _PICTURE_AT]
        flat[where] = (picture >> 8) | 0x80
        flat[where + 1] = picture
        has = ours[:, _TL0_AT].nonzero()[0]
        if len(has):
            flat[(payload + ours[:, _TL0_AT])[has]] = (ours[:, _TL0] - theirs[:, TL0])[has]
        has = ours[:, _KEY_INDEX_AT].nonzero()[0]
        if len(has):
            where = (payload + ours[:, _KEY_INDEX_AT])[has]
            index = (ours[:, _KEY_INDEX] - theirs[:, KEY_INDEX])[has]
            flat[where] = (flat[where] & 0xE0) | (index & 0x1F)

    def _write_few(self, order: list[int]) -> None:
        """Without arrays, whose fixed cost is that of some thirty copies."""
        table, counters = self._downtracks.matrix, self._twcc_counters()
        pairs = [
            (template, table[down].tolist()) for template in order for down in self._downs[template].tolist()
        ]
        pairs.sort(key=_peer)
        for template, theirs in pairs:
            if self.arena.count == self.arena.capacity:
                self._drain(self.arena)
            ours = _RECORD.unpack_from(self._record_bytes, template * _RECORD.size)
            peer, twcc_at = theirs[PEER], ours[_TWCC_AT]
            packet = self._copy(template, ours[_LENGTH], peer)
            payload_type = ours[_MARKER] | theirs[PAYLOAD_TYPE + ours[_SLOT]]
            sequence = (ours[_SEQUENCE] - theirs[SEQUENCE]) & 0xFFFF
            timestamp = (ours[_TIMESTAMP] - theirs[TIMESTAMP]) & 0xFFFFFFFF
            _FIXED.pack_into(packet, 1, payload_type, sequence, timestamp, theirs[SSRC])
            if twcc_at:
                number = int(counters[peer])
                counters[peer] = number + 1
                _WORD.pack_into(packet, twcc_at, number & 0xFFFF)
            if ours[_PICTURE] >= 0:
                _rewrite_picture(packet[ours[_PAYLOAD_AT] :], ours, theirs)

    def _copy(self, template: int, length: int, peer: int) -> memoryview:
        """Take a row of the arena for a copy; returns it."""
        arena = self.arena
        row, start = arena.count, template * self._stride
        packet = arena.bytes[row * arena.stride : row * arena.stride + length]
        packet[:] = self._template_bytes[start : start + length]
        arena.lengths[row] = length
        arena.peers[row] = peer
        arena.count = row + 1
        return packet


def _peer(pair: tuple[int, list[int]]) -> int:
    return pair[1][PEER]


def _rewrite_picture(payload: memoryview, ours: tuple[int, ...], theirs: list[int]) -> None:
    picture = 0x8000 | ((ours[_PICTURE] - theirs[PICTURE]) & 0x7FFF)
    _WORD.pack_into(payload, ours[_PICTURE_AT], picture)
    if ours[_TL0_AT]:
        payload[ours[_TL0_AT]] = (ours[_TL0] - theirs[TL0]) & 0xFF
    if ours[_KEY_INDEX_AT]:
        at = ours[_KEY_INDEX_AT]
        payload[at] = (payload[at] & 0xE0) | ((ours[_KEY_INDEX] - theirs[KEY_INDEX]) & 0x1F)
