"""One received media packet, read once and shared by all that forward, store or retransmit it."""

from functools import partial
from typing import NamedTuple

from sfu.forwarding.layout import Layout


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
    layout: Layout
    """Where the header extensions are ..."""
    block: int
    """... in this, their bytes as one number."""
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
    """Offset in the payload of the two-byte picture id."""
    tl0: int = 0
    tl0_at: int = 0
    """Offset in the payload of TL0PICIDX; 0 when absent."""
    key_index: int = 0
    key_index_at: int = 0


packet_of = partial(tuple.__new__, MediaPacket)
"""Make a packet of the tuple of all its fields: in half the time, once for each packet that comes in."""


def with_picture(packet: MediaPacket, picture: int) -> MediaPacket:
    """The packet under another picture id."""
    return packet_of((*packet[:10], picture, *packet[11:]))
