"""The VP8 payload descriptor (RFC 7741 section 4.2), and the key frame's header behind it."""

from functools import partial
from typing import Final, NamedTuple

_KEYFRAME_START: Final = b"\x9d\x01\x2a"
"""Start code of a key frame (RFC 6386 section 9.1)."""


class Vp8Descriptor(NamedTuple):
    """What munging and layer selection need. Offsets are into the payload; -1 marks an absent field."""

    start: bool
    """First packet of a frame: S is set and the partition is the first."""
    keyframe: bool
    """First packet of a key frame."""
    picture_id: int
    picture_id_offset: int
    """Of the first byte, which also has the M bit."""
    picture_id_bits: int
    """0, 7 or 15."""
    tl0_index: int
    tl0_offset: int
    tid: int
    """Temporal layer; 0 if absent."""
    layer_sync: bool
    """Only needs layer 0 (Y): a layer may be switched to here."""
    key_index: int
    key_index_offset: int
    """Of the byte whose low five bits are KEYIDX."""
    header_length: int
    width: int
    """Of a key frame, from its first packet; else 0."""
    height: int


_descriptor_of = partial(tuple.__new__, Vp8Descriptor)


def parse(payload: memoryview | bytes) -> Vp8Descriptor | None:
    """Read the descriptor of one RTP payload; ``None`` if it is truncated or has no VP8 behind it."""
    picture_id = picture_id_offset = tl0_index = tl0_offset = key_index = key_index_offset = -1
    picture_id_bits = tid = 0
    layer_sync = False
    at = 1
    try:
        first = payload[0]
        if first & 0x80:
            present = payload[1]
            at = 2
            if present & 0x80:
                picture_id_offset = 2
                picture_id = payload[2]
                if picture_id & 0x80:
                    picture_id = (picture_id & 0x7F) << 8 | payload[3]
                    picture_id_bits = 15
                    at = 4
                else:
                    picture_id_bits = 7
                    at = 3
            if present & 0x40:
                tl0_offset = at
                tl0_index = payload[at]
                at += 1
            if present & 0x30:
                if present & 0x20:
                    tid = payload[at] >> 6
                    layer_sync = payload[at] & 0x20 != 0
                if present & 0x10:
                    key_index_offset = at
                    key_index = payload[at] & 0x1F
                at += 1
        # The first bit of what follows tells key frames only where a frame starts.
        start = first & 0x17 == 0x10
        keyframe = start and not payload[at] & 1
    except IndexError:
        return None
    if at >= len(payload):
        return None
    width, height = _size(payload, at) if keyframe else (0, 0)
    return _descriptor_of(
        (start, keyframe, picture_id, picture_id_offset, picture_id_bits, tl0_index, tl0_offset, tid, layer_sync,
         key_index, key_index_offset, at, width, height)
    )  # fmt: skip


def _size(payload: memoryview | bytes, at: int) -> tuple[int, int]:
    """Read width and height of a key frame (RFC 6386 section 9.1), zeros if they aren't there."""
    if len(payload) < at + 10 or payload[at + 3 : at + 6] != _KEYFRAME_START:
        return 0, 0
    width = payload[at + 7] << 8 | payload[at + 6]
    height = payload[at + 9] << 8 | payload[at + 8]
    return width & 0x3FFF, height & 0x3FFF


def widen(payload: memoryview | bytes) -> bytes:
    """Copy a payload with its 7-bit picture id in the 15-bit form, one byte longer; others as they are.

    Rewriting in place then never changes a length, whatever the new number is.
    """
    descriptor = parse(payload)
    if descriptor is None or descriptor.picture_id_bits != 7:
        return bytes(payload)
    offset = descriptor.picture_id_offset
    return bytes(payload[:offset]) + b"\x80" + bytes(payload[offset:])


def is_keyframe_start(payload: memoryview | bytes) -> bool:
    """Tell whether a key frame begins in this packet."""
    descriptor = parse(payload)
    return descriptor is not None and descriptor.keyframe
