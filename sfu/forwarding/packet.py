"""One received media packet, read once and shared by all that forward, store or retransmit it."""

from typing import NamedTuple

from sfu.forwarding.profile import Element, SourceExtensions


class MediaPacket(NamedTuple):
    """What forwarding needs to know; payloads are opaque past the codec's payload descriptor."""

    payload: bytes | memoryview
    """RTP payload without padding; bytes when the packet is kept, a view of the receive arena otherwise."""
    timestamp: int
    """Extended RTP timestamp."""
    marker: int
    """0x80 or 0."""
    slot: int
    """Codec slot of the track: 0 main codec, 1 redundant audio."""
    source: SourceExtensions
    elements: list[Element]
    keyframe: bool = False
    """First packet of a key frame: a down track may start here. Always true for audio."""
    picture_start: bool = False
    """First packet of a picture (where the codec tells)."""
    temporal: int = 0
    layer_sync: bool = False
    """Switching up to this temporal layer is possible here (VP8 Y bit)."""
    picture: int = -1
    """Extended VP8 picture id, in two-byte form; -1 for none."""
    picture_at: int = 0
    tl0: int = 0
    tl0_at: int = 0
    key_index: int = 0
    key_index_at: int = 0
