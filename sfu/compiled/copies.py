"""Copies of packets: who gets them, in which order, and their bytes, encrypted where they are written."""

from numba import carray, int32

from sfu.compiled import places
from sfu.compiled.arrays import Bytes, Halves2, Words, Words2
from sfu.compiled.jit import compiled, part
from sfu.compiled.memory import address, copy, pointer
from sfu.compiled.octets import write16, write32
from sfu.compiled.outgoing import (
    ADDED,
    BYTES,
    COPIES,
    COPY_COLUMNS,
    COPY_DOWN,
    COPY_PACKET,
    COPY_PEER,
    COUNT,
    DOWN_COLUMNS,
    DOWNS,
    HEADER_LENGTH,
    KEY_INDEX,
    KEY_INDEX_AT,
    KEY_INDEX_FROM,
    KEYLESS,
    LENGTH,
    MARKER,
    PACKET_COLUMNS,
    PAD,
    PADDED,
    PAYLOAD_TYPE,
    PEER,
    PEER_COLUMNS,
    PICTURE,
    PICTURE_AT,
    PICTURE_FROM,
    PLAIN,
    PROTECTED,
    REFUSED,
    ROW_COLUMNS,
    ROW_LENGTH,
    ROW_PEER,
    ROW_STATE,
    SEQUENCE,
    SEQUENCE_FROM,
    SLOT,
    SSRC,
    TIMESTAMP,
    TIMESTAMP_FROM,
    TL0,
    TL0_AT,
    TL0_FROM,
    TWCC,
    TWCC_AT,
)
from sfu.compiled.packing import arrange, place_of_spare
from sfu.compiled.sorting import order
from sfu.compiled.srtp import KEYLESS as NO_KEYS
from sfu.compiled.srtp import Srtp, srtp_at, srtp_of
from sfu.compiled.srtp import protect as protect_packet

_PADDING_BIT = 0x20


@compiled
def seal(where: Words) -> None:
    """List the copies of a lane's packets by destination, and for each of them as :func:`arrange` says.

    ``where`` is the lane's list of places. There must be room for all copies, and for all packets.
    """
    lane, downs = places.words(where, places.LANE), places.words2(where, places.DOWNS, DOWN_COLUMNS)
    packets = places.words2(where, places.PACKETS, PACKET_COLUMNS)
    copies, scratch = places.halves2(where, places.COPIES, COPY_COLUMNS), places.halves(where, places.SCRATCH)
    count = lane[ADDED]
    arrange(packets, count, lane[PAD] != 0, copies, scratch)
    arranged = scratch[:count]
    at = begin = 0
    while begin < count:
        first = arranged[begin]
        end = begin + 1
        while (
            end < count
            and packets[arranged[end], DOWNS] == packets[first, DOWNS]
            and packets[arranged[end], COUNT] == packets[first, COUNT]
        ):
            end += 1
        rows = carray(pointer(packets[first, DOWNS]), packets[first, COUNT], int32)
        for index in range(len(rows)):
            down = rows[index]
            for number in range(begin, end):
                copies[at, COPY_PEER] = downs[down, PEER]
                copies[at, COPY_DOWN] = down
                copies[at, COPY_PACKET] = arranged[number]
                at += 1
        begin = end
    if count > 1:
        order(copies, at, scratch[place_of_spare(len(packets)) :])


@part
def _put(packets: Words2, packet: int, memory: Bytes, at: int) -> None:
    """The bytes that all copies share, and padding (RFC 3550 section 5.1)."""
    length, padded = packets[packet, LENGTH], packets[packet, PADDED]
    copy(address(memory) + at, packets[packet, BYTES], length)
    if padded > length:
        memory[at] |= _PADDING_BIT
        for index in range(at + length, at + padded - 1):
            memory[index] = 0
        memory[at + padded - 1] = padded - length


@part
def _number(packets: Words2, packet: int, downs: Words2, down: int, memory: Bytes, at: int) -> None:
    """The fields of the RTP header that differ by down track."""
    slot = PAYLOAD_TYPE + 1 if packets[packet, SLOT] else PAYLOAD_TYPE
    memory[at + 1] = packets[packet, MARKER] | downs[down, slot]
    write16(memory, at + 2, packets[packet, SEQUENCE] - downs[down, SEQUENCE_FROM])
    write32(memory, at + 4, packets[packet, TIMESTAMP] - downs[down, TIMESTAMP_FROM])
    write32(memory, at + 8, downs[down, SSRC])


@part
def _picture(packets: Words2, packet: int, downs: Words2, down: int, memory: Bytes, at: int) -> None:
    """Rewrite a VP8 payload descriptor (RFC 7741 section 4.2)."""
    write16(
        memory,
        at + packets[packet, PICTURE_AT],
        (packets[packet, PICTURE] - downs[down, PICTURE_FROM]) | 0x8000,
    )
    if packets[packet, TL0_AT]:
        memory[at + packets[packet, TL0_AT]] = (packets[packet, TL0] - downs[down, TL0_FROM]) & 0xFF
    if packets[packet, KEY_INDEX_AT]:
        at += packets[packet, KEY_INDEX_AT]
        index = packets[packet, KEY_INDEX] - downs[down, KEY_INDEX_FROM]
        memory[at] = memory[at] & 0xE0 | index & 0x1F


@part
def _protect(rows: Halves2, row: int, memory: Bytes, at: int, rtcp: bool, srtp: Srtp) -> int:
    """Encrypt a row in place and note what became of it; 1 if it could not be."""
    place, size = address(memory) + at, rows[row, ROW_LENGTH]
    length = protect_packet(srtp, rows[row, ROW_PEER], rtcp, place, size)
    if length > 0:
        rows[row, ROW_LENGTH] = length
        rows[row, ROW_STATE] = PROTECTED
        return 0
    rows[row, ROW_STATE] = KEYLESS if length == NO_KEYS else REFUSED
    return 1


@compiled
def write(where: Words, first: int, count: int, row: int) -> int:
    """Write ``count`` of a lane's copies into rows of its arena, beginning with ``row``, and encrypt them there.

    ``where`` is the lane's list of places. Returns how many could not be encrypted.
    """
    copies = places.halves2(where, places.COPIES, COPY_COLUMNS)
    packets = places.words2(where, places.PACKETS, PACKET_COLUMNS)
    downs = places.words2(where, places.DOWNS, DOWN_COLUMNS)
    peers = places.words2(where, places.PEERS, PEER_COLUMNS)
    memory, rows = places.octets(where, places.ARENA), places.halves2(where, places.ARENA_ROWS, ROW_COLUMNS)
    srtp = srtp_at(where)
    stride = len(memory) // len(rows)
    unusual = 0
    for index in range(first, first + count):
        peer, down = copies[index, COPY_PEER], copies[index, COPY_DOWN]
        packet = copies[index, COPY_PACKET]
        at = row * stride
        _put(packets, packet, memory, at)
        _number(packets, packet, downs, down, memory, at)
        if packets[packet, TWCC_AT]:
            stamp = peers[peer, TWCC]
            peers[peer, TWCC] = stamp + 1
            write16(memory, at + packets[packet, TWCC_AT], stamp)
        if packets[packet, PICTURE] >= 0:
            _picture(packets, packet, downs, down, memory, at + packets[packet, HEADER_LENGTH])
        rows[row, ROW_LENGTH] = packets[packet, PADDED]
        rows[row, ROW_PEER] = peer
        unusual += _protect(rows, row, memory, at, False, srtp)
        row += 1
    return unusual


@compiled
def piece(where: Words, first: int, end: int, most: int) -> int:
    """How many of the copies from ``first`` to ``end`` to write next, of pieces of about equal size, ``most`` at most.

    ``where`` is the lane's list of places. A piece ends with a destination, as GSO messages do, unless one destination
    alone has more.
    """
    copies = places.halves2(where, places.COPIES, COPY_COLUMNS)
    left = end - first
    pieces = (left + most - 1) // most
    count = (left + pieces - 1) // pieces
    if count < left:
        last = first + count
        while last > first and copies[last - 1, COPY_PEER] == copies[last, COPY_PEER]:
            last -= 1
        if last > first:
            return last - first
    return count


@compiled
def expand(where: Words, row: int) -> int:
    """Write all copies of the packets of a lane, beginning with ``row``; there must be room for them.

    The lane has no packets then. Returns how many could not be encrypted.
    """
    seal(where)
    lane = places.words(where, places.LANE)
    unusual = write(where, 0, lane[COPIES], row)
    lane[ADDED] = lane[COPIES] = 0
    return unusual


@compiled
def protect(
    rows: Halves2,
    count: int,
    memory: Bytes,
    rtcp: bool,
    keys: Words2,
    windows: Words2,
    functions: Words,
    room: Bytes,
) -> int:
    """Encrypt those of the first ``count`` rows that are not yet; returns how many could not be."""
    srtp = srtp_of(keys, windows, functions, room)
    stride = len(memory) // len(rows)
    unusual = 0
    for row in range(count):
        if rows[row, ROW_STATE] == PLAIN:
            unusual += _protect(rows, row, memory, row * stride, rtcp, srtp)
    return unusual
