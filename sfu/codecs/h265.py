"""H.265 payloads (RFC 7798): single NAL units, aggregation packets, fragments and PACI; no DONL fields."""

from collections.abc import Iterator
from typing import Final

FIRST_IRAP: Final = 16
LAST_IRAP: Final = 21
"""Up to CRA; 22 and 23 are reserved (ITU-T H.265 table 7-1)."""
VPS: Final = 32
SPS: Final = 33
AGGREGATION: Final = 48
FRAGMENT: Final = 49
PACI: Final = 50

HEADER_LENGTH: Final = 2


def is_keyframe_start(payload: memoryview | bytes) -> bool:
    """Tell whether a random access picture, or a parameter set that goes before one, begins here."""
    return any(
        kind in (VPS, SPS) or (FIRST_IRAP <= kind <= LAST_IRAP and _is_first_slice(payload, start))
        for kind, start in _units(payload)
    )


def _units(payload: memoryview | bytes) -> Iterator[tuple[int, int]]:
    """List NAL units that begin here, as their type and where their content behind the header starts."""
    if len(payload) <= HEADER_LENGTH:
        return
    kind = payload[0] >> 1 & 0x3F
    at = HEADER_LENGTH
    if kind == PACI:
        # A(1) cType(6) PHSsize(5) flags(4), then the header extension (RFC 7798 section 4.4.4).
        if len(payload) < 4:
            return
        kind = payload[2] >> 1 & 0x3F
        at = 4 + ((payload[2] & 1) << 4 | payload[3] >> 4)
        if kind == PACI:
            return
    if kind == AGGREGATION:
        yield from _aggregated(payload, at)
    elif kind == FRAGMENT:
        if at < len(payload) and payload[at] & 0x80:
            yield payload[at] & 0x3F, at + 1
    elif kind < AGGREGATION:
        yield kind, at


def _aggregated(payload: memoryview | bytes, at: int) -> Iterator[tuple[int, int]]:
    """List the units of an aggregation packet, up to the first that doesn't fit."""
    length = len(payload)
    while at + 2 < length:
        start = at + 2
        at = start + (payload[at] << 8 | payload[at + 1])
        if at - start < HEADER_LENGTH or at > length:
            return
        yield payload[start] >> 1 & 0x3F, start + HEADER_LENGTH


def _is_first_slice(payload: memoryview | bytes, start: int) -> bool:
    """Read first_slice_segment_in_pic_flag, the first bit of a slice."""
    return start < len(payload) and payload[start] & 0x80 != 0
