"""Copies written one by one, straight from their packets: for a dozen or two, faster than by column.

The matrix writes the same for many at once; a test holds them together.
"""

import struct
from collections.abc import Callable, Sequence

from sfu.forwarding.arena import SendArena
from sfu.forwarding.downtracks import PEER, ROW, DownTrackTable
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.packing import MAX_PADDING
from sfu.net.arrays import Int32s, Int64s

Added = tuple[bytes, bytes, int, int, MediaPacket, Int32s]
"""Header, payload, place of the transport-wide number in the header, number, packet, and who gets it."""

_PADDING_BIT = 0x20
_PADDING = [b"", *(bytes(size - 1) + bytes((size,)) for size in range(1, MAX_PADDING + 1))]
_FIXED = struct.Struct("!BHII")
_WORD = struct.Struct("!H")


class OneByOne:
    """Writes copies into an arena."""

    __slots__ = ("_arena", "_downtracks", "_drain", "_row_lengths", "_row_peers", "_twcc_counters")

    def __init__(
        self,
        arena: SendArena,
        downtracks: DownTrackTable,
        twcc_counters: Callable[[], Int64s],
        drain: Callable[[SendArena], None],
    ) -> None:
        self._arena = arena
        self._row_lengths, self._row_peers = arena.lengths.data, arena.peers.data
        self._downtracks = downtracks
        self._twcc_counters = twcc_counters
        self._drain = drain

    def write(self, added: Sequence[Added], order: Sequence[int], lengths: Sequence[int]) -> None:
        """Write all copies, for each destination in this order of packets, each padded to its length."""
        arena, stride = self._arena, self._arena.stride
        counters, memory = self._twcc_counters().data, arena.bytes
        for index, theirs in self._pairs(added, order):
            if arena.count == arena.capacity:
                self._drain(arena)
            row = arena.count
            start, length = row * stride, lengths[index]
            header, payload, twcc_at, number, packet, _ = added[index]
            (_, timestamp, marker, slot, _, _, _, _, _, _,
             picture, picture_at, tl0, tl0_at, key_index, key_index_at) = packet  # fmt: skip
            (number_from, timestamp_from, picture_from, tl0_from, key_index_from, ssrc,
             payload_type, other_type, peer, _) = theirs  # fmt: skip
            put(memory, start, header, payload, length)
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
            if picture >= 0:  # RFC 7741 section 4.2
                at = start + len(header)
                _WORD.pack_into(memory, at + picture_at, 0x8000 | (picture - picture_from) & 0x7FFF)
                if tl0_at:
                    memory[at + tl0_at] = (tl0 - tl0_from) & 0xFF
                if key_index_at:
                    at += key_index_at
                    memory[at] = memory[at] & 0xE0 | (key_index - key_index_from) & 0x1F
            self._row_lengths[row] = length
            self._row_peers[row] = peer
            arena.count = row + 1

    def _pairs(self, added: Sequence[Added], order: Sequence[int]) -> list[tuple[int, tuple[int, ...]]]:
        """Packets by index, each with a row of the down track table, by destination and for each of them in order."""
        table = self._downtracks.bytes
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


def put(memory: memoryview, start: int, header: bytes, payload: bytes, length: int) -> None:
    """Write a packet, and padding up to ``length`` (RFC 3550 section 5.1)."""
    payload_at = start + len(header)
    end = payload_at + len(payload)
    memory[start:payload_at] = header
    memory[payload_at:end] = payload
    padding = start + length - end
    if padding:
        memory[start] = header[0] | _PADDING_BIT
        memory[end : end + padding] = _PADDING[padding]
