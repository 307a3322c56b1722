"""The matrix: a batch of packets times the down tracks that want them, written by column.

Each incoming packet becomes a *template*: the bytes that all its copies share, one for each extension profile in use
among the subscribers. ``expand`` turns templates and their down tracks into a flat list of (template, down track)
pairs ordered by destination, copies the bytes, and computes sequence numbers, timestamps, SSRCs, payload types,
picture ids and transport-wide sequence numbers for all pairs at once. Nothing here runs per forwarded packet, but where
there are few copies, or hardly more than packets: those are written one by one, straight from the packets.
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
    ROW,
    SSRC,
    TIMESTAMP,
    TL0,
    DownTrackTable,
)
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.packing import MAX_PADDING, arrange
from sfu.net.arrays import Int32s, Int64s, UInt8s

SRTP_TAG_BYTES = 16
"""The longest authentication tag that protection appends (RFC 7714)."""

TEMPLATES = 512
FEW = 48
"""Copies up to which they are written one by one ..."""
FEW_EACH = 2
"""... and copies of each packet, if there are more."""
_PADDING_BIT = 0x20
_PADDING = [b"", *(bytes(size - 1) + bytes((size,)) for size in range(1, MAX_PADDING + 1))]
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
        self._row_lengths, self._row_peers = self.arena.lengths.data, self.arena.peers.data
        self._added: list[tuple[bytes, bytes, int, int, MediaPacket, Int32s]] = []
        """Header, payload, and the rest of what :meth:`add` was given."""
        self._copies = 0
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
        payload = packet[0]
        if type(payload) is not bytes:  # a view of what may be gone when copies are written
            payload = bytes(payload)
        self._added.append((header, payload, twcc_at, number, packet, downs))
        self._copies += len(downs)
        if len(self._added) == TEMPLATES:
            self.expand()

    def expand(self) -> None:
        """Write a row of the arena for each pair collected since the last call."""
        added = self._added
        if not added:
            return
        lengths = [len(one[0]) + len(one[1]) for one in added]
        if len(added) > 1:
            streams, timestamps = [id(one[5]) for one in added], [one[4][1] for one in added]
            order, padded = arrange(streams, timestamps, lengths, pad=self._pad)
        else:
            order, padded = [0], lengths
        if self._copies <= FEW or self._copies <= FEW_EACH * len(added):
            self._write_few(order, padded)
        else:
            self._write_all(order, padded)
        added.clear()
        self._copies = 0

    def _write_all(self, order: list[int], lengths: list[int]) -> None:
        """By column."""
        for index, length in enumerate(lengths):
            self._template(index, length)
        columns = self._records[: len(self._added)]
        twcc_at, pictures = columns[:, _TWCC_AT], columns[:, _PICTURE]
        self._has_twcc = bool(twcc_at.any())
        self._twcc_place = int(twcc_at[0]) if (twcc_at == twcc_at[0]).all() else 0
        self._has_slots = bool(columns[:, _SLOT].any())
        with_pictures = pictures >= 0
        self._has_pictures = bool(with_pictures.any())
        self._all_pictures = bool(with_pictures.all())
        downs, templates = self._pairs(order)
        start = 0
        while start < len(downs):
            if self.arena.count == self.arena.capacity:
                self._drain(self.arena)
            stop = min(len(downs), start + self.arena.capacity - self.arena.count)
            self._write(downs[start:stop], templates[start:stop], columns)
            start = stop

    def _template(self, index: int, length: int) -> None:
        """Make the template of a packet, padded to ``length``."""
        header, payload, twcc_at, number, packet, _ = self._added[index]
        _, timestamp, marker, slot = packet[:4]
        numbers = (length, len(header), twcc_at, number, timestamp, marker, slot)
        # The rest of the columns are the packet's fields from ``picture`` on.
        _RECORD.pack_into(self._record_bytes, index * _RECORD.size, *numbers, *packet[10:])
        _put(self._template_bytes, index * self._stride, header, payload, length)

    def _pairs(self, order: list[int]) -> tuple[Int32s, Int64s]:
        """All pairs of down track and template, ordered by destination and for each of them as ``order`` says."""
        templates = np.array(order)
        arranged = [self._added[index][5] for index in order]
        first = arranged[0]
        if all(downs is first for downs in arranged):
            return np.repeat(first, len(order)), np.tile(templates, len(first))
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

    def _write_few(self, order: list[int], lengths: list[int]) -> None:
        """One by one, without templates and arrays, whose fixed cost is that of some thirty copies."""
        added, arena, stride = self._added, self.arena, self._stride
        counters, memory = self._twcc_counters().data, arena.bytes
        for index, theirs in self._pairs_of_few(order):
            if arena.count == arena.capacity:
                self._drain(arena)
            row = arena.count
            start, length = row * stride, lengths[index]
            header, payload, twcc_at, number, packet, _ = added[index]
            _, timestamp, marker, slot, _, _, _, _, _, _, picture, _, _, _, _, _ = packet
            number_from, timestamp_from, _, _, _, ssrc, payload_type, other_type, peer, _ = theirs
            _put(memory, start, header, payload, length)
            _FIXED.pack_into(
                memory,
                start + 1,
                marker | (other_type if slot else payload_type),
                (number - number_from) & 0xFFFF,
                (timestamp - timestamp_from) & 0xFFFFFFFF,
                ssrc,
            )
            if twcc_at:
                stamp = counters[peer]
                counters[peer] = stamp + 1
                _WORD.pack_into(memory, start + twcc_at, stamp & 0xFFFF)
            if picture >= 0:
                _rewrite_picture(memory, start + len(header), packet, theirs)
            self._row_lengths[row] = length
            self._row_peers[row] = peer
            arena.count = row + 1

    def _pairs_of_few(self, order: list[int]) -> list[tuple[int, tuple[int, ...]]]:
        """Packets by index, each with a row of the down track table, ordered as :meth:`_pairs` does."""
        added, table = self._added, self._downtracks.bytes
        by_peer: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        for index in order:
            for down in added[index][5].tolist():
                theirs = ROW.unpack_from(table, down * ROW.size)
                peer = theirs[PEER]
                if peer in by_peer:
                    by_peer[peer].append((index, theirs))
                else:
                    by_peer[peer] = [(index, theirs)]
        if len(by_peer) == 1:
            return by_peer[peer]
        return [pair for peer in sorted(by_peer) for pair in by_peer[peer]]


def _put(memory: memoryview, start: int, header: bytes, payload: bytes, length: int) -> None:
    """Write a packet, and padding up to ``length`` (RFC 3550 section 5.1)."""
    payload_at = start + len(header)
    end = payload_at + len(payload)
    memory[start:payload_at] = header
    memory[payload_at:end] = payload
    padding = start + length - end
    if padding:
        memory[start] = header[0] | _PADDING_BIT
        memory[end : end + padding] = _PADDING[padding]


def _rewrite_picture(
    memory: memoryview, payload_at: int, packet: MediaPacket, theirs: tuple[int, ...]
) -> None:
    picture, picture_at, tl0, tl0_at, key_index, key_index_at = packet[10:]
    _WORD.pack_into(memory, payload_at + picture_at, 0x8000 | ((picture - theirs[PICTURE]) & 0x7FFF))
    if tl0_at:
        memory[payload_at + tl0_at] = (tl0 - theirs[TL0]) & 0xFF
    if key_index_at:
        at = payload_at + key_index_at
        memory[at] = (memory[at] & 0xE0) | ((key_index - theirs[KEY_INDEX]) & 0x1F)
