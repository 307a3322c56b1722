"""Transport-wide feedback for many senders in one go, by column. :mod:`sfu.rtp.twcc` writes and reads single ones.

Reports lie one behind the other: report ``i`` is what stands from ``bounds[i]`` up to ``bounds[i + 1]``.
"""

from typing import Final, NamedTuple

import numpy as np

from sfu.net.arrays import Bools, Int64s, UInt8s
from sfu.rtp.rtcp.packets import PacketType, TransportFormat
from sfu.rtp.twcc import LARGE, REFERENCE_TICKS, REFERENCE_WRAP, SMALL, TICK_US, TWO_BIT_STATUSES

MAX_SPAN: Final = 512
MAX_ARRIVALS: Final = 256
"""In one report here: 20 bytes of header, 74 chunks, two bytes for each arrival, and padding stay below 1200."""

_HEADER_BYTES = 20
_FIRST = (0x80 | TransportFormat.TRANSPORT_CC) << 24 | PacketType.RTPFB << 16
_PADDED = 0x20 << 24
_VECTOR = 0xC000
"""A chunk of seven statuses of two bits."""


class Reports(NamedTuple):
    """Arrivals of each report in the order of their numbers, none twice."""

    bounds: Int64s
    sequences: Int64s
    """Extended numbers."""
    arrivals_us: Int64s


class Addressing(NamedTuple):
    """Of each report."""

    sender_ssrcs: Int64s
    media_ssrcs: Int64s
    counts: Int64s
    """The fb_count."""


def fitting(reports: Reports) -> Bools:
    """Which reports :func:`write` can do: short ones without large steps, in numbers or time."""
    bounds, sequences, arrivals_us = reports
    starts, lasts = bounds[:-1], bounds[1:] - 1
    deltas = _deltas(_ticks(arrivals_us), starts)
    fits: Bools = (lasts - starts < MAX_ARRIVALS) & (sequences[lasts] - sequences[starts] < MAX_SPAN)
    fits &= np.maximum.reduceat(deltas, starts) <= 0x7FFF
    fits &= np.minimum.reduceat(deltas, starts) >= -0x8000
    return fits


def write(rows: UInt8s, reports: Reports, to: Addressing) -> Int64s:
    """Write each report, all of them fitting, into a row; returns the packets' lengths.

    Rows must be contiguous, of a multiple of 4 bytes and 1200 at least.
    """
    bounds, sequences, arrivals_us = reports
    starts, lasts = bounds[:-1], bounds[1:] - 1
    index = np.repeat(np.arange(len(starts)), bounds[1:] - starts)
    ticks = _ticks(arrivals_us)
    deltas = _deltas(ticks, starts)
    sizes = np.where((deltas >= 0) & (deltas <= 0xFF), SMALL, LARGE)
    spans = sequences[lasts] - sequences[starts] + 1
    chunks = (spans + TWO_BIT_STATUSES - 1) // TWO_BIT_STATUSES
    ends = np.cumsum(sizes)
    before = ends - sizes
    lengths: Int64s = _HEADER_BYTES + 2 * chunks + ends[lasts] - before[starts]
    padding = -lengths & 3
    lengths += padding

    words = rows.view(">u4")
    words[np.arange(len(starts)), lengths // 4 - 1] = padding  # overwritten where there is none
    words[:, 0] = _FIRST + _PADDED * (padding > 0) + lengths // 4 - 1
    words[:, 1] = to.sender_ssrcs
    words[:, 2] = to.media_ssrcs
    words[:, 3] = (sequences[starts] & 0xFFFF) << 16 | spans
    words[:, 4] = (ticks[starts] // REFERENCE_TICKS % REFERENCE_WRAP) << 8 | to.counts

    _write_chunks(rows, chunks, index, sequences - sequences[starts][index], sizes)
    flat = rows.reshape(-1)
    at = index * rows.shape[1] + _HEADER_BYTES + 2 * chunks[index] + before - before[starts][index]
    large = sizes == LARGE
    flat[at] = np.where(large, deltas >> 8, deltas) & 0xFF
    flat[at[large] + 1] = deltas[large] & 0xFF
    return lengths


def _write_chunks(rows: UInt8s, chunks: Int64s, index: Int64s, places: Int64s, statuses: Int64s) -> None:
    """Write the statuses of each report's arrivals; places without one are lost."""
    ends = np.cumsum(chunks)
    first = ends - chunks
    chunk, place = np.divmod(places, TWO_BIT_STATUSES)
    total = int(ends[-1])
    bits = statuses << 2 * (TWO_BIT_STATUSES - 1 - place)
    values = _VECTOR + np.bincount(first[index] + chunk, bits, total)  # floats hold 16 bits exactly
    report = np.repeat(np.arange(len(chunks)), chunks)
    rows.view(">u2")[report, _HEADER_BYTES // 2 + np.arange(total) - first[report]] = values


def _ticks(arrivals_us: Int64s) -> Int64s:
    return (arrivals_us + TICK_US // 2) // TICK_US


def _deltas(ticks: Int64s, starts: Int64s) -> Int64s:
    """From one arrival to the next, and to each report's first from the reference time."""
    deltas = np.empty_like(ticks)
    np.subtract(ticks[1:], ticks[:-1], out=deltas[1:])
    deltas[starts] = ticks[starts] % REFERENCE_TICKS
    return deltas
