"""Transport-wide congestion control feedback.

The receiver lists for a span of transport-wide sequence numbers which packets came, and when, in steps of
250 microseconds. Source: draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.
"""

import re
import struct
from collections.abc import Iterable, Sequence
from operator import sub
from typing import Final

from sfu.rtp.errors import RtpError
from sfu.rtp.rtcp.packets import PacketType, TransportFormat
from sfu.rtp.sequence import extend_bits

MAX_STATUSES: Final = 8191
"""Sequence numbers that one feedback spans here, both ways; the field allows 65 535, which nobody needs."""
MAX_FEEDBACK_LENGTH: Final = 1200
"""Bytes of one feedback built here."""
TICK_US: Final = 250
REFERENCE_TICKS: Final = 256
"""Ticks in a unit of the reference time, 64 ms."""
REFERENCE_WRAP: Final = 1 << 24

LOST: Final = 0
SMALL: Final = 1
"""Came, with a delta of one unsigned byte."""
LARGE: Final = 2
"""Came, with a delta of two signed bytes."""

RESERVED: Final = 3

RUN_LIMIT: Final = 0x1FFF
ONE_BIT_STATUSES: Final = 14
TWO_BIT_STATUSES: Final = 7

# Upper bounds, in bytes, of what statuses take once written: a chunk holds 7 or more, and a gap breaks off
# two chunks at most.
STATUS_COST: Final = 2 / TWO_BIT_STATUSES
GAP_COST: Final = 4
CHUNKS_AND_PADDING: Final = 2 * 2 + 3

MAX_SIMPLE: Final = 180
"""Arrivals that fit one packet whatever lies between them."""

_DIGITS = bytes.maketrans(b"\x00\x01", b"01")
_HEADER = struct.Struct("!BBHIIHH3sB")
_CHUNK = struct.Struct("!H")
_RUN = re.compile(rb"\x00+|\x01+|\x02+")

Arrival = tuple[int, int]


def build_feedback(
    sender_ssrc: int,
    media_ssrc: int,
    arrivals: Iterable[Arrival],
    feedback_count: int,
    base_sequence: int | None = None,
) -> list[bytes]:
    """Report packets that came, and as lost the numbers missing between them.

    Args:
        arrivals: ``(extended sequence number, arrival in microseconds)`` in any order; of a number given
            twice the first counts. The origin of time is free, and must be the same for all feedback.
        feedback_count: that of the first packet written, the next ones count up (modulo 256).
        base_sequence: the number after the last one reported, so that losses right behind it are told; the
            span starts at the first arrival without it, or if that is older (a late packet).

    Returns:
        RTCP packets, no longer than ``MAX_FEEDBACK_LENGTH``: none for no arrivals, several where time steps
        beyond 8 s or a long list need it. A gap of ``MAX_STATUSES`` or more is left out.

    Raises:
        RtpError: an SSRC doesn't fit 32 bits.
    """
    packets: list[bytes] = []
    for base, group in _split(arrivals, base_sequence):
        count = feedback_count + len(packets) & 0xFF
        packets.append(_build_one(sender_ssrc, media_ssrc, base, group, count))
    return packets


def build_report(
    sender_ssrc: int,
    media_ssrc: int,
    sequences: Sequence[int],
    arrivals_us: Sequence[int],
    feedback_count: int,
) -> list[bytes]:
    """Do the same for columns whose numbers rise: a ``range`` where none is missing, which is cheapest."""
    if 0 < len(sequences) <= MAX_SIMPLE:
        simple = _build_simple(sender_ssrc, media_ssrc, sequences, arrivals_us, feedback_count & 0xFF)
        if simple is not None:
            return [simple]
    return build_feedback(sender_ssrc, media_ssrc, zip(sequences, arrivals_us, strict=True), feedback_count)


def _build_simple(
    sender_ssrc: int,
    media_ssrc: int,
    sequences: Sequence[int],
    arrivals_us: Sequence[int],
    feedback_count: int,
) -> bytes | None:
    """All in one packet: no step beyond 8 s, no gap too long. None where that isn't so.

    It is fastest where none arrived before the one before, or more than 64 ms after it. What it writes is what the
    general way would.
    """
    base, span = sequences[0], sequences[-1] - sequences[0] + 1
    if span > MAX_STATUSES:
        return None
    ticks = [(arrival_us + TICK_US // 2) // TICK_US for arrival_us in arrivals_us]
    reference, first = divmod(ticks[0], REFERENCE_TICKS)
    steps = (first, *map(sub, ticks[1:], ticks))
    try:
        deltas = bytes(steps)
    except ValueError:
        if min(steps) < -0x8000 or max(steps) > 0x7FFF:
            return None
        arrivals = list(zip(sequences, ticks, strict=True))
        return _build_one(sender_ssrc, media_ssrc, base, arrivals, feedback_count)
    if span == len(sequences):
        chunks = _CHUNK.pack(SMALL << 13 | span)
    else:
        statuses = bytearray(span)
        for sequence in sequences:
            statuses[sequence - base] = SMALL
        chunks = _chunks(statuses)
    return _write(sender_ssrc, media_ssrc, base, span, reference, feedback_count, chunks + deltas)


def _split(arrivals: Iterable[Arrival], base: int | None) -> list[tuple[int, list[Arrival]]]:
    """Cut arrivals into what fits one packet each, as ``(base sequence, [(sequence, tick)])``."""
    ticks: dict[int, int] = {}
    for sequence, arrival_us in arrivals:
        ticks.setdefault(sequence, (arrival_us + TICK_US // 2) // TICK_US)
    groups: list[tuple[int, list[Arrival]]] = []
    following = base
    start = last_tick = 0
    length = 0.0
    for sequence, tick in sorted(ticks.items()):
        gap = 0 if following is None else max(sequence - following, 0)
        delta = tick - last_tick
        cost = (1 if 0 <= delta <= 0xFF else 2) + (GAP_COST if gap else 0) + STATUS_COST
        if (
            not groups
            or not -0x8000 <= delta <= 0x7FFF
            or sequence - start >= MAX_STATUSES
            or length + cost > MAX_FEEDBACK_LENGTH
        ):
            start = sequence - gap if gap < MAX_STATUSES else sequence
            groups.append((start, []))
            length = _HEADER.size + CHUNKS_AND_PADDING
        groups[-1][1].append((sequence, tick))
        length += cost
        following, last_tick = sequence + 1, tick
    return groups


def _build_one(
    sender_ssrc: int, media_ssrc: int, base: int, arrivals: Sequence[Arrival], feedback_count: int
) -> bytes:
    """Write one packet; the caller made sure that deltas, statuses and length fit."""
    statuses = bytearray(arrivals[-1][0] - base + 1)
    reference = arrivals[0][1] // REFERENCE_TICKS
    last_tick = reference * REFERENCE_TICKS
    deltas = bytearray()
    for sequence, tick in arrivals:
        delta = tick - last_tick
        small = 0 <= delta <= 0xFF
        statuses[sequence - base] = SMALL if small else LARGE
        deltas += delta.to_bytes(1 if small else 2, "big", signed=not small)
        last_tick = tick
    return _write(
        sender_ssrc, media_ssrc, base, len(statuses), reference, feedback_count, _chunks(statuses) + deltas
    )


def _write(
    sender_ssrc: int, media_ssrc: int, base: int, count: int, reference: int, feedback_count: int, body: bytes
) -> bytes:
    padding = -len(body) % 4
    if padding:
        body += bytes(padding - 1) + bytes((padding,))
    try:
        header = _HEADER.pack(
            0xA0 | TransportFormat.TRANSPORT_CC if padding else 0x80 | TransportFormat.TRANSPORT_CC,
            PacketType.RTPFB,
            (_HEADER.size + len(body)) // 4 - 1,
            sender_ssrc,
            media_ssrc,
            base & 0xFFFF,
            count,
            (reference % REFERENCE_WRAP).to_bytes(3, "big"),
            feedback_count,
        )
    except struct.error as error:
        raise RtpError("SSRC out of range") from error
    return header + body


def _chunks(statuses: bytearray) -> bytes:
    """Write statuses as run-length chunks where a vector would hold less, and as vectors elsewhere."""
    chunks = bytearray()
    at = 0
    while at < len(statuses):
        ahead = statuses[at : at + ONE_BIT_STATUSES]
        one_bit = LARGE not in ahead
        run = _RUN.match(statuses, at)
        same = run.end() - at if run else 0
        if same >= (ONE_BIT_STATUSES if one_bit else TWO_BIT_STATUSES) or same == len(statuses) - at:
            taken = min(same, RUN_LIMIT)
            chunk = statuses[at] << 13 | taken
        elif one_bit:
            taken = ONE_BIT_STATUSES
            chunk = 0x8000 | int(ahead.translate(_DIGITS), 2) << ONE_BIT_STATUSES - len(ahead)
        else:
            taken = TWO_BIT_STATUSES
            chunk = 0xC000
            for place, status in enumerate(ahead[:TWO_BIT_STATUSES]):
                chunk |= status << 12 - 2 * place
        chunks += _CHUNK.pack(chunk)
        at += taken
    return bytes(chunks)


def parse_feedback(packet: memoryview | bytes, near_us: int = 0) -> list[tuple[int, int | None]]:
    """Read one feedback packet, RTCP header included.

    Args:
        near_us: the sender's clock that arrivals are told in wraps after 12 days; of the possible times the
            one nearest to this is given. Pass the last arrival known.

    Returns:
        ``(16-bit sequence number, arrival in microseconds or None if lost)`` in order of sequence, at most
        ``MAX_STATUSES``. The arrivals have an origin of the peer's own.

    Raises:
        RtpError: lengths that don't fit, the reserved status, or more than ``MAX_STATUSES``.
    """
    end = _end(packet)
    _, _, _, _, _, base, count, reference, _ = _HEADER.unpack_from(packet)
    if not 0 < count <= MAX_STATUSES:
        raise RtpError("feedback about nothing, or about too many packets")
    statuses, at = _read_chunks(packet, end, count)
    near = near_us // (TICK_US * REFERENCE_TICKS)
    tick = extend_bits(near, int.from_bytes(reference, "big"), 24) * REFERENCE_TICKS
    if at + statuses.count(SMALL) + 2 * statuses.count(LARGE) > end:
        raise RtpError("feedback ends before its deltas")
    result: list[tuple[int, int | None]] = []
    for place, status in enumerate(statuses):
        if not status:
            result.append((base + place & 0xFFFF, None))
            continue
        if status == SMALL:
            tick += packet[at]
        else:
            tick += int.from_bytes(packet[at : at + 2], "big", signed=True)
        at += status
        result.append((base + place & 0xFFFF, tick * TICK_US))
    return result


def _end(packet: memoryview | bytes) -> int:
    """Check the common header; gives where padding begins."""
    if len(packet) < _HEADER.size:
        raise RtpError("feedback shorter than its header")
    first, packet_type, words = packet[0], packet[1], packet[2] << 8 | packet[3]
    if first & 0xDF != 0x80 | TransportFormat.TRANSPORT_CC or packet_type != PacketType.RTPFB:
        raise RtpError("not transport-wide feedback")
    if words * 4 + 4 != len(packet):
        raise RtpError("feedback with a length of its own")
    if not first & 0x20:
        return len(packet)
    padding = packet[-1]
    if not 0 < padding <= len(packet) - _HEADER.size:
        raise RtpError("feedback padding out of bounds")
    return len(packet) - padding


def _read_chunks(packet: memoryview | bytes, end: int, count: int) -> tuple[bytearray, int]:
    """Read ``count`` statuses; gives them and where the deltas begin."""
    statuses = bytearray()
    at = _HEADER.size
    while len(statuses) < count:
        if at + 2 > end:
            raise RtpError("feedback ends inside its statuses")
        chunk = packet[at] << 8 | packet[at + 1]
        at += 2
        if not chunk & 0x8000:
            statuses += bytes((chunk >> 13,)) * min(chunk & RUN_LIMIT, count - len(statuses))
        elif not chunk & 0x4000:
            statuses += bytes(chunk >> shift & 1 for shift in range(13, -1, -1))
        else:
            statuses += bytes(chunk >> shift & 3 for shift in range(12, -2, -2))
    del statuses[count:]
    if RESERVED in statuses:
        raise RtpError("feedback with the reserved status")
    return statuses, at
