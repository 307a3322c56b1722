"""The matrix: a batch of packets times the down tracks that want them, written by column.

Each incoming packet becomes a *template*: the bytes that all its copies share, one for each extension profile in use
among the subscribers. ``expand`` turns templates and their down tracks into a flat list of (template, down track)
pairs ordered by destination, copies the bytes, and computes sequence numbers, timestamps, SSRCs, payload types,
picture ids and transport-wide sequence numbers for all pairs at once. Nothing here runs per forwarded packet.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sfu.forwarding.arena import SendArena
from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.packing import arrange
from sfu.net.arrays import Int32s, Int64s, UInt8s

SRTP_TAG_BYTES = 16
"""The longest authentication tag that protection appends (RFC 7714)."""

TEMPLATES = 512
_PADDING_BIT = 0x20


class Numbers(NamedTuple):
    """What a template's copies differ by, before each down track's offsets are taken away."""

    sequence: int
    timestamp: int
    marker: int
    """0x80 or 0."""
    slot: int
    """Codec slot: column of the down tracks' payload types."""
    picture: int = -1
    """VP8 picture id (extended); -1 when the payload has none to rewrite."""
    picture_at: int = 0
    """Offset in the payload of the two-byte picture id."""
    tl0: int = 0
    tl0_at: int = 0
    """Offset in the payload of TL0PICIDX; 0 when absent."""
    key_index: int = 0
    key_index_at: int = 0


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
        self._stride = stride
        self._reset()

    def _reset(self) -> None:
        self._lengths: list[int] = []
        self._numbers: list[Numbers] = []
        self._payload_at: list[int] = []
        self._twcc_at: list[int] = []
        self._downs: list[Int32s] = []
        self._has_pictures = False

    def add(
        self,
        header: bytes,
        payload: memoryview | bytes,
        twcc_at: int,
        numbers: Numbers,
        downs: Int32s,
    ) -> None:
        """Add a packet for ``downs`` (rows of the down track table).

        ``header`` is the RTP header with its extension block; ``twcc_at`` the offset in it of the transport-wide
        sequence number to stamp, 0 for none.
        """
        index = len(self._lengths)
        if index == TEMPLATES:
            self.expand()
            index = 0
        start = index * self._stride
        payload_at = len(header)
        length = payload_at + len(payload)
        self._template_bytes[start : start + payload_at] = header
        self._template_bytes[start + payload_at : start + length] = payload
        self._lengths.append(length)
        self._numbers.append(numbers)
        self._payload_at.append(payload_at)
        self._twcc_at.append(twcc_at)
        self._downs.append(downs)
        if numbers.picture >= 0:
            self._has_pictures = True

    def expand(self) -> None:
        """Write a row of the arena for each pair collected since the last call."""
        if not self._downs:
            return
        order = self._arrange()
        columns = _Columns(self._lengths, self._numbers, self._payload_at, self._twcc_at, self._has_pictures)
        downs, templates = self._pairs(order)
        peers = self._downtracks.peer[downs]
        start = 0
        while start < len(downs):
            if self.arena.count == self.arena.capacity:
                self._drain(self.arena)
            stop = min(len(downs), start + self.arena.capacity - self.arena.count)
            self._write(downs[start:stop], templates[start:stop], peers[start:stop], columns)
            start = stop
        self._reset()

    def _arrange(self) -> list[int]:
        """The order in which each destination gets the templates; pads them on the way."""
        if len(self._lengths) == 1:
            return [0]
        streams = [id(downs) for downs in self._downs]
        timestamps = [numbers.timestamp for numbers in self._numbers]
        order, padded = arrange(streams, timestamps, self._lengths, pad=self._pad)
        if padded != self._lengths:
            for index, (length, wanted) in enumerate(zip(self._lengths, padded, strict=True)):
                if length != wanted:
                    start = index * self._stride
                    padding = wanted - length
                    self._template_bytes[start] |= _PADDING_BIT
                    self._template_bytes[start + length : start + wanted] = bytes(padding - 1) + bytes(
                        (padding,)
                    )
            self._lengths = padded
        return order

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

    def _write(self, downs: Int32s, templates: Int64s, peers: Int32s, columns: "_Columns") -> None:
        arena, table = self.arena, self._downtracks
        first, last = arena.count, arena.count + len(downs)
        rows = arena.rows[first:last]
        np.take(self._templates, templates, axis=0, out=rows, mode="clip")
        rows[:, 1] = table.payload_type[downs, columns.slot[templates]] | columns.marker[templates]
        arena.be16[first:last, 1] = (columns.sequence[templates] - table.sequence_offset[downs]) & 0xFFFF
        arena.be32[first:last, 1] = (
            columns.timestamp[templates] - table.timestamp_offset[downs]
        ) & 0xFFFFFFFF
        arena.be32[first:last, 2] = table.ssrc[downs]
        arena.lengths[first:last] = columns.length[templates]
        arena.peers[first:last] = peers
        if columns.any_twcc:
            self._stamp(first, templates, peers, columns)
        if columns.picture is not None:
            self._write_pictures(first, downs, templates, columns)
        arena.count = last

    def _stamp(self, first: int, templates: Int64s, peers: Int32s, columns: "_Columns") -> None:
        """Number the packets of each peer transport-wide, in the order in which they will be sent."""
        counters = self._twcc_counters()
        at = columns.twcc_at[templates]
        stamped = at > 0
        running = np.cumsum(stamped)
        starts = np.flatnonzero(np.diff(peers, prepend=-1))
        before: Int64s = running[starts] - stamped[starts]
        lengths = np.diff(starts, append=len(peers))
        numbers = counters[peers] + running - 1 - np.repeat(before, lengths)
        where = ((first + np.arange(len(peers))) * self._stride + at)[stamped]
        numbers = numbers[stamped]
        self.arena.flat[where] = (numbers >> 8) & 0xFF
        self.arena.flat[where + 1] = numbers & 0xFF
        ends = starts + lengths - 1
        counters[peers[starts]] += running[ends] - before

    def _write_pictures(self, first: int, downs: Int32s, templates: Int64s, columns: "_Columns") -> None:
        """Rewrite VP8 payload descriptors (RFC 7741 section 4.2)."""
        assert columns.picture is not None
        flat, table = self.arena.flat, self._downtracks
        chosen = np.flatnonzero(columns.picture[templates] >= 0)
        template, down = templates[chosen], downs[chosen]
        payload = (first + chosen) * self._stride + columns.payload_at[template]
        picture = columns.picture[template] - table.picture_offset[down]
        where = payload + columns.picture_at[template]
        flat[where] = 0x80 | ((picture >> 8) & 0x7F)
        flat[where + 1] = picture & 0xFF
        at = columns.tl0_at[template]
        has = at > 0
        flat[(payload + at)[has]] = ((columns.tl0[template] - table.tl0_offset[down]) & 0xFF)[has]
        at = columns.key_index_at[template]
        has = at > 0
        where = (payload + at)[has]
        index = (columns.key_index[template] - table.key_index_offset[down])[has]
        flat[where] = (flat[where] & 0xE0) | (index & 0x1F)


class _Columns:
    """The templates' numbers as arrays."""

    __slots__ = (
        "any_twcc",
        "key_index",
        "key_index_at",
        "length",
        "marker",
        "payload_at",
        "picture",
        "picture_at",
        "sequence",
        "slot",
        "timestamp",
        "tl0",
        "tl0_at",
        "twcc_at",
    )

    def __init__(
        self,
        lengths: list[int],
        numbers: list[Numbers],
        payload_at: list[int],
        twcc_at: list[int],
        has_pictures: bool,
    ) -> None:
        self.length = np.array(lengths, np.int32)
        self.twcc_at = np.array(twcc_at, np.int64)
        self.any_twcc = max(twcc_at) > 0
        table = np.array(numbers, np.int64)
        self.sequence = table[:, 0]
        self.timestamp = table[:, 1]
        self.marker = table[:, 2].astype(np.uint8)
        self.slot = table[:, 3]
        self.picture: Int64s | None = None
        if has_pictures:
            self.payload_at = np.array(payload_at, np.int64)
            self.picture = table[:, 4]
            self.picture_at = table[:, 5]
            self.tl0 = table[:, 6]
            self.tl0_at = table[:, 7]
            self.key_index = table[:, 8]
            self.key_index_at = table[:, 9]
