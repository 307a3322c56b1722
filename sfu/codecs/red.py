"""Redundant audio (RFC 2198): one payload that repeats earlier ones."""

from typing import Final, NamedTuple

MAX_BLOCKS: Final = 16
"""Blocks of one payload. Browsers send two or three, and fewer than ten fit what a network loses in a row."""

_HEADER_LENGTH: Final = 4


class RedBlock(NamedTuple):
    """One payload inside; the last one is the primary."""

    payload_type: int
    timestamp_offset: int
    """To be subtracted from the packet's RTP timestamp; 0 for the primary."""
    offset: int
    """Into the RED payload."""
    length: int


def split(payload: memoryview | bytes) -> list[RedBlock] | None:
    """List the blocks, oldest first and the primary last; ``None`` if they don't fit the payload."""
    heads: list[tuple[int, int, int]] = []
    length = len(payload)
    at = 0
    while at < length and payload[at] & 0x80:
        if at + _HEADER_LENGTH > length or len(heads) == MAX_BLOCKS - 1:
            return None
        both = int.from_bytes(payload[at + 1 : at + _HEADER_LENGTH], "big")
        heads.append((payload[at] & 0x7F, both >> 10, both & 0x3FF))
        at += _HEADER_LENGTH
    if at >= length:
        return None
    primary_type = payload[at]
    at += 1
    blocks = []
    for payload_type, timestamp_offset, size in heads:
        blocks.append(RedBlock(payload_type, timestamp_offset, at, size))
        at += size
    if at > length:
        return None
    blocks.append(RedBlock(primary_type, 0, at, length - at))
    return blocks


def primary(payload: memoryview | bytes) -> tuple[int, int, int] | None:
    """Find the newest block as payload type, offset and length; ``None`` if the payload is malformed."""
    blocks = split(payload)
    if blocks is None:
        return None
    payload_type, _, offset, length = blocks[-1]
    return payload_type, offset, length
