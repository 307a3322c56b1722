"""VP8 frames of the right sizes with noise inside, made once and sent by every publisher (RFC 7741, RFC 6386).

A group of pictures is one key frame and the frames that refer to it. Receivers find correct payload descriptors and key
frame headers; a decoder would find nothing.
"""

from random import Random
from struct import Struct
from typing import NamedTuple

from hubbub.load.plan import Layer

MAX_PAYLOAD = 1100
"""Bytes of a frame in one packet; with all headers and the SRTP tag that makes about 1150."""
KEYFRAME_RATIO = 6.0
"""How much larger a key frame is than the others on average, about as libvpx makes them for a webcam."""
VARIATION = 0.3
"""By how much of the mean the other frames differ at most."""
MIN_FRAME = 24
"""Bytes; a smaller frame would not hold its own header."""

_DESCRIPTOR = Struct("!BBHBB")


class Frame(NamedTuple):
    """One encoded frame, cut for RTP, without payload descriptors."""

    key: bool
    pieces: tuple[bytes, ...]


def group_of_pictures(
    layer: Layer, fps: float, keyframe_interval_s: float, random: Random
) -> tuple[Frame, ...]:
    """Make a key frame and the frames until the next, so that all of them together have the layer's bitrate."""
    count = max(1, round(fps * keyframe_interval_s))
    budget = layer.bitrate_bps / 8 * count / fps
    mean = budget / (count - 1 + KEYFRAME_RATIO)
    weights = [random.uniform(1 - VARIATION, 1 + VARIATION) for _ in range(count - 1)]
    scale = (count - 1) / sum(weights) if weights else 0.0
    noise = random.randbytes(1 << 16)
    frames = [_frame(round(mean * KEYFRAME_RATIO), noise, layer, key=True)]
    frames += [_frame(round(mean * weight * scale), noise, layer, key=False) for weight in weights]
    return tuple(frames)


def descriptor(picture_id: int, tl0_index: int, *, start: bool) -> bytes:
    """The payload descriptor: 15-bit picture id, TL0PICIDX, and temporal layer 0 of one (TID with Y unset)."""
    return _DESCRIPTOR.pack(0x90 if start else 0x80, 0xE0, 0x8000 | picture_id & 0x7FFF, tl0_index & 0xFF, 0)


def _frame(size: int, noise: bytes, layer: Layer, *, key: bool) -> Frame:
    # The frame tag of a shown frame; its lowest bit says that this is no key frame.
    head = bytes((0x10 if key else 0x11, 0, 0))
    if key:
        head += b"\x9d\x01\x2a" + layer.width.to_bytes(2, "little") + layer.height.to_bytes(2, "little")
    body = max(size, MIN_FRAME) - len(head)
    data = head + (noise * (body // len(noise) + 1))[:body]
    count = -(-len(data) // MAX_PAYLOAD)
    each = -(-len(data) // count)
    return Frame(key, tuple(data[at : at + each] for at in range(0, len(data), each)))
