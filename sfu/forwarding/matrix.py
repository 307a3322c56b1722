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
from sfu.forwarding.copies import Added, OneByOne, put
from sfu.forwarding.downtracks import (
    KEY_INDEX,
    PAYLOAD_TYPE,
    PEER,
    PICTURE,
    SSRC,
    TIMESTAMP,
    TL0,
    DownTrackTable,
)
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.packing import arrange
from sfu.net.arrays import Int32s, Int64s, UInt8s, run_lengths

SRTP_TAG_BYTES = 16
"""The longest authentication tag that protection appends (RFC 7714)."""

TEMPLATES = 512
_NO_PICTURE = (0, 0, 0)
FEW = 24
"""Copies up to which they are written one by one ..."""
FEW_EACH = 2
"""... and copies of each packet, if there are more."""
_RECORD = struct.Struct("=13q")
"""The numbers of a template, before each down track's offsets are taken away; a column each:"""
_LENGTH, _PAYLOAD_AT, _TWCC_AT, _SEQUENCE, _TIMESTAMP, _MARKER, _SLOT, _PICTURE = range(8)
_PICTURE_AT, _TL0, _TL0_AT, _KEY_INDEX, _KEY_INDEX_AT = range(8, 13)

_NONE: Int64s = np.zeros(0, np.int64)
_NO_ROWS: Int32s = np.zeros(0, np.int32)


class Lane:
    """Templates and send rows of one size class, so that copying a small packet does not cost a large row."""

    def __init__(
        self,
        arena: SendArena,
        downtracks: DownTrackTable,
        twcc_counters: Callable[[], Int64s],
        drain: Callable[[SendArena], None],
        *,
        pad: bool = False,
    ) -> None:
        """``pad``: make packets of a frame equally long where that is cheap, for UDP GSO."""
        stride = arena.stride
        self.largest = stride - SRTP_TAG_BYTES
        """Bytes of the longest template."""
        self.arena = arena
        self._downtracks = downtracks
        self._twcc_counters = twcc_counters
        self._drain = drain
        self._pad = pad
        self._templates: UInt8s = np.zeros((TEMPLATES, stride), np.uint8)
        self._template_bytes = self._templates.data.cast("B")
        self._records: Int64s = np.zeros((TEMPLATES, _RECORD.size // 8), np.int64)
        self._record_bytes = self._records.data.cast("B")
        self._stride = stride
        self._one_by_one = OneByOne(self.arena, downtracks, twcc_counters, drain)
        self._added: list[Added] = []
        self._copies = 0
        self._downs: Int32s = _NO_ROWS
        self._of: Int64s = _NONE
        """Down tracks and templates of the copies that are yet to be written, …"""
        self._peers: Int64s = _NONE
        """… and their destinations."""
        self._has_slots = False
        self._has_twcc = False
        self._twcc_place = 0
        """Where the transport-wide number is in all templates; 0 when that differs."""
        self._has_pictures = False
        self._picture_places = _NO_PICTURE
        """Where picture id, TL0PICIDX and key index are in all templates."""

    def add(self, header: bytes, twcc_at: int, number: int, packet: MediaPacket, downs: Int32s) -> None:
        """Add a packet for ``downs`` under its number in the rendition they forward.

        ``downs`` are rows of the down track table, one for each destination, in the order of destinations.
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

    def give(self, larger: "Lane") -> None:
        """Leave what it has been given to a lane of larger packets, if both have few copies to write."""
        if self._copies and larger.adopt(self._added, self._copies):
            self._added.clear()
            self._copies = 0

    def adopt(self, added: list[Added], copies: int) -> bool:
        """Take packets of so many copies in front of what it has been given; False for too many, or if it has none."""
        if not self._copies or self._copies + copies > FEW:
            return False
        self._added[:0] = added
        self._copies += copies
        return True

    def expand(self) -> None:
        """Write a row of the arena for each pair collected since the last call."""
        added = self._added
        if not added:
            return
        streams = [id(one[5]) for one in added]
        if self._copies <= FEW or self._copies <= FEW_EACH * len(added):
            self._one_by_one.write(added, *self._arrange(streams))
        else:
            self._seal(streams)
            while self.left:
                if self.arena.count == self.arena.capacity:
                    self._drain(self.arena)
                self._write_next(min(self.left, self.arena.capacity - self.arena.count))
        added.clear()
        self._copies = 0

    @property
    def added(self) -> bool:
        """Whether there is something to expand."""
        return bool(self._copies)

    @property
    def left(self) -> int:
        """Copies of what was taken that are yet to be written."""
        return len(self._downs)

    def holds(self, row: int) -> bool:
        """Whether a copy for a row of the down track table is yet to be written."""
        return bool((self._downs == row).any())

    def forget(self, row: int) -> None:
        """Leave out the copies for a row of the down track table that are yet to be written."""
        kept = self._downs != row
        self._downs, self._of, self._peers = self._downs[kept], self._of[kept], self._peers[kept]

    def packets(self, row: int) -> list[Added]:
        """The packets of which copies for a row of the down track table are yet to be written, in their order."""
        return [self._added[index] for index in self._of[self._downs == row].tolist()]

    def write_to(self, row: int, added: list[Added]) -> None:
        """Write copies of packets for one row of the down track table, whatever else is yet to be written."""
        lengths = [len(one[0]) + len(one[1]) for one in added]
        only: Int32s = np.array([row], np.int32)
        self._one_by_one.write([(*one[:5], only) for one in added], range(len(added)), lengths)

    def take(self, added: list[Added], streams: list[int], first_peer: int) -> None:
        """Take packets, at most TEMPLATES, whose copies :meth:`write` writes bit by bit.

        ``streams`` tells which of them must not change places. ``first_peer``: the row of the peer table to begin
        with, -1 for the first there is.
        """
        self._added = added
        self._seal(streams)
        if first_peer >= 0:
            at = -int(np.searchsorted(self._peers, first_peer))
            self._downs, self._of = np.roll(self._downs, at), np.roll(self._of, at)
            self._peers = np.roll(self._peers, at)

    def write(self, most: int) -> int:
        """Write the next copies of what was taken, in pieces of about equal size; returns how many.

        A piece ends with a destination, as GSO messages do, unless one destination alone has more.
        """
        count = -(-self.left // -(-self.left // most))
        if count < self.left:
            others = np.flatnonzero(self._peers[:count] != self._peers[count])
            if len(others):
                count = int(others[-1]) + 1
        self._write_next(count)
        return count

    def _arrange(self, streams: list[int]) -> tuple[list[int], list[int]]:
        """The order in which each destination gets the packets, and the size that each is padded to."""
        added = self._added
        lengths = [len(one[0]) + len(one[1]) for one in added]
        if len(added) == 1:
            return [0], lengths
        return arrange(streams, [one[4][1] for one in added], lengths, pad=self._pad)

    def _seal(self, streams: list[int]) -> None:
        """Make templates, and put the copies in order."""
        order, lengths = self._arrange(streams)
        for index, length in enumerate(lengths):
            self._template(index, length)
        self._compare()
        self._downs, self._of = self._pairs(order)
        self._peers = self._downtracks.peer[self._downs]

    def _write_next(self, count: int) -> None:
        self._write(self._downs[:count], self._of[:count], self._records)
        self._downs, self._of, self._peers = self._downs[count:], self._of[count:], self._peers[count:]

    def _compare(self) -> None:
        """Find out what is in the same place in all templates."""
        added = self._added
        twcc_places = {one[2] for one in added}
        self._has_twcc = twcc_places != {0}
        self._twcc_place = twcc_places.pop() if len(twcc_places) == 1 else 0
        self._has_slots = any(one[4].slot for one in added)
        picture_places = {_picture_places(len(one[0]), one[4]) for one in added}
        self._has_pictures = picture_places != {_NO_PICTURE}
        self._picture_places = picture_places.pop() if len(picture_places) == 1 else _NO_PICTURE

    def _template(self, index: int, length: int) -> None:
        """Make the template of a packet, padded to ``length``."""
        header, payload, twcc_at, number, packet, _ = self._added[index]
        _, timestamp, marker, slot = packet[:4]
        numbers = (length, len(header), twcc_at, number, timestamp, marker, slot)
        # The rest of the columns are the packet's fields from ``picture`` on.
        _RECORD.pack_into(self._record_bytes, index * _RECORD.size, *numbers, *packet[10:])
        put(self._template_bytes, index * self._stride, header, payload, length)

    def _pairs(self, order: list[int]) -> tuple[Int32s, Int64s]:
        """All pairs of down track and template, ordered by destination and for each of them as ``order`` says."""
        arranged = [self._added[index][5] for index in order]
        first = arranged[0]
        if len(order) == 1:
            return first, np.zeros(len(first), np.int64)
        templates = np.array(order)
        if all(downs is first for downs in arranged):
            return first.repeat(len(order)), np.tile(templates, len(first))
        downs = np.concatenate(arranged)
        templates = templates.repeat([*map(len, arranged)])
        by_peer = self._downtracks.peer[downs].argsort(kind="stable")
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
        if len(self._added) == 1:  # one for each
            stamps: Int64s = counters[peers]
            counters[peers] = stamps + 1
            rows = self.arena.rows[first : first + len(peers)]
            rows[:, self._twcc_place] = stamps >> 8
            rows[:, self._twcc_place + 1] = stamps
            return
        new = np.empty(len(peers), np.bool_)
        new[0] = True
        np.not_equal(peers[1:], peers[:-1], out=new[1:])
        starts = new.nonzero()[0]
        targets = peers[starts]
        lengths = run_lengths(starts, len(peers))
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
        if self._picture_places != _NO_PICTURE:
            self._write_pictures_at(
                *self._picture_places, self.arena.rows[first : first + len(ours)], ours, theirs
            )
            return
        flat = self.arena.flat
        start = self.arena.offsets[first : first + len(ours)]
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

    def _write_pictures_at(
        self, picture_at: int, tl0_at: int, key_index_at: int, rows: UInt8s, ours: Int64s, theirs: Int64s
    ) -> None:
        """The same where all have everything in one place (0: not at all)."""
        picture = ours[:, _PICTURE] - theirs[:, PICTURE]
        rows[:, picture_at] = (picture >> 8) | 0x80
        rows[:, picture_at + 1] = picture
        if tl0_at:
            rows[:, tl0_at] = ours[:, _TL0] - theirs[:, TL0]
        if key_index_at:
            index = ours[:, _KEY_INDEX] - theirs[:, KEY_INDEX]
            rows[:, key_index_at] = (rows[:, key_index_at] & 0xE0) | (index & 0x1F)


def _picture_places(payload_at: int, packet: MediaPacket) -> tuple[int, int, int]:
    """Where picture id, TL0PICIDX and key index are in a packet; 0 for those that it hasn't."""
    _, _, _, _, _, _, _, _, _, _, picture, picture_at, _, tl0_at, _, key_index_at = packet
    if picture < 0:
        return _NO_PICTURE
    return payload_at + picture_at, tl0_at and payload_at + tl0_at, key_index_at and payload_at + key_index_at
