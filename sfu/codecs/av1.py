"""AV1 payloads: OBU elements behind an aggregation header.

Source: RTP Payload Format For AV1 (Alliance for Open Media), section 4.
"""

from collections.abc import Iterator
from typing import Final

SEQUENCE_HEADER: Final = 1
MAX_LEB128_LENGTH: Final = 8
"""Bytes of a length (AV1 specification section 4.10.5)."""

_CONTINUES: Final = 0x80
"""Z: the first element continues an OBU of the packet before."""
_NEW_SEQUENCE: Final = 0x08
"""N: first packet of a coded video sequence."""


def is_keyframe_start(payload: memoryview | bytes) -> bool:
    """Tell whether a coded video sequence begins in this packet, which it does with a key frame.

    The N bit says so; a sequence header must be there too, since nobody could decode without.
    """
    if not payload or payload[0] & (_CONTINUES | _NEW_SEQUENCE) != _NEW_SEQUENCE:
        return False
    return any(payload[start] >> 3 & 0x0F == SEQUENCE_HEADER for start, _ in _elements(payload))


def _elements(payload: memoryview | bytes) -> Iterator[tuple[int, int]]:
    """List OBU elements as start and end, up to the first that doesn't fit or is empty.

    With W elements counted in the aggregation header, the last one has no length.
    """
    length = len(payload)
    counted = payload[0] >> 4 & 0x03
    at = 1
    number = 0
    while at < length:
        number += 1
        if number == counted:
            yield at, length
            return
        size, start = _leb128(payload, at)
        at = start + size
        if not size or at > length:
            return
        yield start, at


def _leb128(payload: memoryview | bytes, at: int) -> tuple[int, int]:
    """Read a length; gives it and where it ends, 0 for one that is truncated or too long."""
    value = 0
    for place, byte in enumerate(payload[at : at + MAX_LEB128_LENGTH]):
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, at + place + 1
    return 0, at
