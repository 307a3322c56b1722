"""The matrix: a batch of packets times the down tracks that want them, written by compiled loops.

Each incoming packet becomes a *template*: the bytes that all its copies share, one for each extension profile in use
among the subscribers, and a record of its numbers. ``expand`` makes a list of (template, down track) pairs ordered by
destination, then for each pair copies the bytes, writes sequence number, timestamp, SSRC, payload type, picture ids
and transport-wide sequence number, and encrypts. See :mod:`sfu.compiled.copies`.
"""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from sfu.compiled import places
from sfu.compiled.copies import expand, piece, seal, write
from sfu.compiled.dispatch import give
from sfu.compiled.outgoing import (
    ADDED,
    COPIES,
    COPY_COLUMNS,
    COPY_DOWN,
    COPY_PEER,
    COUNT,
    DOWNS,
    LANE_WORDS,
    PACKET_COLUMNS,
    PACKETS,
    STRIDE,
)
from sfu.compiled.outgoing import TEMPLATES as TEMPLATES_AT
from sfu.compiled.packing import MOST_PACKETS, scratch_size
from sfu.forwarding.arena import SendArena
from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.fan import Fan, fan_of, rows_at
from sfu.forwarding.packet import MediaPacket
from sfu.net.arrays import Int32s, Int64s, UInt8s, grown
from sfu.net.peers import PeerTable
from sfu.net.places import Place, Places

SRTP_TAG_BYTES = 16
"""The longest authentication tag that protection appends (RFC 7714)."""
TEMPLATES = MOST_PACKETS
_PAIRS = 1024
"""Copies that there is room for at first; not fewer than templates."""
_RECORD = struct.Struct(f"={PACKET_COLUMNS}q")


class _Store:
    """Memory for templates, and their records."""

    __slots__ = ("address", "memory", "record_bytes", "records", "records_address")

    def __init__(self, templates: int, stride: int) -> None:
        memory: UInt8s = np.zeros(templates * stride, np.uint8)
        self.memory, self.address = memory.data, memory.ctypes.data
        self.records: Int64s = np.zeros((templates, PACKET_COLUMNS), np.int64)
        self.records_address: int = self.records.ctypes.data
        self.record_bytes = self.records.data.cast("B")


class Lane:
    """Templates and send rows of one size class, so that copying a small packet does not cost a large row."""

    def __init__(
        self,
        arena: SendArena,
        downtracks: DownTrackTable,
        peers: PeerTable,
        drain: Callable[[SendArena], None],
        *,
        pad: bool = False,
        templates: int = TEMPLATES,
        words: Int64s | None = None,
    ) -> None:
        """``pad``: make packets of a frame equally long where that is cheap, for UDP GSO.

        ``words`` take what compiled loops need to add packets, as :mod:`sfu.compiled.outgoing` says.
        """
        stride = arena.stride
        self.largest = stride - SRTP_TAG_BYTES
        """Bytes of the longest template."""
        self.arena = arena
        self._srtp = peers.srtp
        self._drain = drain
        self._stride = stride
        self._most = templates
        self._store = self._spare = _Store(templates, stride)
        """Of packets that are added, and of those whose copies are yet to be written."""
        words = np.zeros(LANE_WORDS, np.int64) if words is None else words
        words[STRIDE:ADDED] = stride, self.largest, templates, pad
        self.words = words
        """As :mod:`sfu.compiled.outgoing` says."""
        self._word: Any = words.data
        self._point()
        self._fans: list[Fan] = []
        """Of packets added, to keep them alive."""
        self._pairs: Int32s = np.zeros((_PAIRS, COPY_COLUMNS), np.int32)
        """Destination, down track and template of each copy."""
        self.next = self.end = 0
        """Those of them that are yet to be written."""
        self._scratch: Int32s = np.zeros(scratch_size(templates, _PAIRS), np.int32)
        self._records_place = Place(self._store.records)
        self._pairs_place, self._scratch_place = Place(self._pairs), Place(self._scratch)
        self.places = Places(
            {
                **peers.srtp.places,
                places.PACKETS: self._records_place,
                places.COPIES: self._pairs_place,
                places.SCRATCH: self._scratch_place,
                places.DOWNS: downtracks.place,
                places.PEERS: peers.place,
                places.ARENA: arena.memory,
                places.ARENA_ROWS: arena.rows,
                places.LANE: words,
            }
        )
        """What compiled loops need to write copies."""

    def add(
        self, header: bytes, twcc_at: int, number: int, packet: MediaPacket, fan: Fan, stream: int
    ) -> None:
        """Add a packet for a fan-out under its number in the rendition they forward; at most ``largest`` bytes.

        ``header`` is the RTP header with its extension block; ``twcc_at`` the offset in it of the transport-wide
        sequence number to stamp, 0 for none. Packets of one ``stream`` don't change places.
        """
        word = self._word
        index = word[ADDED]
        if index == self._most:
            self.expand()
            index = 0
        self._fans.append(fan)
        _, address, count = fan
        word[ADDED] = index + 1
        word[COPIES] += count
        (payload, timestamp, marker, slot, _, _, _, _, _, _,
         picture, picture_at, tl0, tl0_at, key_index, key_index_at) = packet  # fmt: skip
        store = self._store
        at, size = index * self._stride, len(header)
        payload_at = at + size
        length = size + len(payload)
        store.memory[at:payload_at] = header
        store.memory[payload_at : at + length] = payload
        _RECORD.pack_into(
            store.record_bytes,
            index * _RECORD.size,
            store.address + at,
            length,
            length,
            size,
            twcc_at,
            stream,
            address,
            count,
            number,
            timestamp,
            marker,
            slot,
            picture,
            picture_at,
            tl0,
            tl0_at,
            key_index,
            key_index_at,
        )

    def give(self, larger: "Lane") -> None:
        """Leave what it has been given to a lane of larger packets, if both have few copies to write."""
        if give(self.words, larger.words):
            larger.keep(self._fans)
            self._fans = []

    def keep(self, fans: list[Fan]) -> None:
        """Keep fan-outs alive until all copies have been put in order."""
        self._fans += fans

    def expand(self) -> None:
        """Write a row of the arena for each pair collected since the last call."""
        if not self._word[ADDED]:
            return
        if not self.fits:
            self.seal()
            self._write_all()
            return
        copies, arena = self.copies, self.arena
        self._srtp.reserve(copies)
        arena.unusual += expand(self.places.words, arena.count)
        arena.count += copies
        self.written()

    def written(self) -> None:
        """Compiled loops have written all copies."""
        self._fans.clear()

    @property
    def added(self) -> bool:
        """Whether there is something to expand."""
        return bool(self._word[ADDED])

    @property
    def copies(self) -> int:
        """Of the packets added."""
        copies: int = self._word[COPIES]
        return copies

    @property
    def fits(self) -> bool:
        """Whether there is room for these in the arena."""
        copies, arena = self.copies, self.arena
        return copies <= arena.capacity - arena.count and copies <= len(self._pairs)

    @property
    def busy(self) -> bool:
        """Whether there is something to expand, or to send."""
        return bool(self._word[ADDED] or self.arena.count)

    @property
    def packets(self) -> int:
        """How many packets have been added."""
        packets: int = self._word[ADDED]
        return packets

    @property
    def left(self) -> int:
        """Copies sealed that are yet to be written."""
        return self.end - self.next

    def seal(self) -> None:
        """Put the copies of all packets added in order, for :meth:`write`. The fan-outs are not needed any more."""
        added = self.copies
        while len(self._pairs) < added:
            self._pairs = grown(self._pairs)
            self._scratch = np.zeros(scratch_size(self._most, len(self._pairs)), np.int32)
            self._pairs_place.move(self._pairs)
            self._scratch_place.move(self._scratch)
        seal(self.places.words)
        self.next, self.end = 0, added
        self._forget_added()

    def begin(self, first_peer: int = -1) -> None:
        """Seal, and have room for further packets before the copies have been written.

        ``first_peer``: the row of the peer table to begin with, -1 for the first there is.
        """
        if self._spare is self._store:
            self._spare = _Store(self._most, self._stride)
        self._records_place.move(self._store.records, self._store.records_address)
        self.seal()
        self._store, self._spare = self._spare, self._store
        self._point()
        if first_peer >= 0:
            pairs = self._pairs[: self.end]
            at = int(np.searchsorted(pairs[:, COPY_PEER], first_peer))
            pairs[:] = np.roll(pairs, -at, axis=0)

    def _point(self) -> None:
        self._word[TEMPLATES_AT], self._word[PACKETS] = self._store.address, self._store.records_address

    def write(self, most: int) -> int:
        """Write a :func:`piece` of what was sealed; returns how many copies."""
        count = piece(self.places.words, self.next, self.end, most)
        self._write_next(count)
        return count

    def gone(self, count: int) -> None:
        """Compiled loops have written and sent the next copies of what was sealed."""
        self.next += count

    def holds(self, row: int) -> bool:
        """Whether a copy for a row of the down track table is yet to be written."""
        sealed = self._pairs[self.next : self.end, COPY_DOWN] == row
        return bool(sealed.any()) or bool(self._added_for(row))

    def forget(self, row: int) -> None:
        """Leave out the copies for a row of the down track table that are yet to be written."""
        pairs = self._pairs[self.next : self.end]
        kept = pairs[pairs[:, COPY_DOWN] != row]
        self.end = self.next + len(kept)
        self._pairs[self.next : self.end] = kept
        for packets, rows in self._added_for(row):
            fan = fan_of(rows[rows != row])
            self._fans.append(fan)
            self._store.records[packets[:, None], [DOWNS, COUNT]] = fan.address, fan.size
            self._word[COPIES] -= len(packets)
        if not self.copies:
            self._forget_added()

    def _added_for(self, row: int) -> list[tuple[Int64s, Int32s]]:
        """Which of the packets added are for a row of the down track table; those of a fan-out together, with that."""
        records = self._store.records[: self._word[ADDED]]
        found = []
        for address, count in set(map(tuple, records[:, [DOWNS, COUNT]].tolist())):
            rows = rows_at(address, count)
            if (rows == row).any():
                found.append((np.flatnonzero(records[:, DOWNS] == address), rows))
        return found

    def records_for(self, row: int) -> Int64s:
        """Records of the packets added that are for a row of the down track table, in their order."""
        packets = [packets for packets, _ in self._added_for(row)]
        return self._store.records[np.sort(np.concatenate(packets)) if packets else []]

    def borrow(self, records: Int64s, row: int) -> None:
        """Write copies for one row of the down track table of packets that another lane has been given."""
        only = fan_of(np.array([row], np.int32))
        for start in range(0, len(records), self._most):
            part = records[start : start + self._most]
            self._store.records[: len(part)] = part
            self._store.records[: len(part), [DOWNS, COUNT]] = only.address, only.size
            self._word[ADDED] = self._word[COPIES] = len(part)
            self.expand()

    def write_to(self, row: int) -> None:
        """Write those copies for a row of the down track table before the others."""
        pairs = self._pairs[self.next : self.end]
        theirs = pairs[:, COPY_DOWN] == row
        first = int(theirs.sum())
        pairs[:] = np.concatenate([pairs[theirs], pairs[~theirs]])
        self._write_all(self.left - first)

    def _write_all(self, but: int = 0) -> None:
        """Write all that was sealed but the last."""
        arena = self.arena
        while self.left > but:
            if arena.count == arena.capacity:
                self._drain(arena)
            self._write_next(min(self.left - but, arena.capacity - arena.count))

    def _write_next(self, count: int) -> None:
        arena = self.arena
        self._srtp.reserve(count)
        arena.unusual += write(self.places.words, self.next, count, arena.count)
        arena.count += count
        self.next += count

    def _forget_added(self) -> None:
        self._fans.clear()
        self._word[ADDED] = self._word[COPIES] = 0
