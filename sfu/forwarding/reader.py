"""Reading payloads just deep enough to forward them: where pictures begin, which are key frames, what has an id.

Nothing past the payload descriptor (or the first bytes that tell a key frame) is looked at: the rest may be end-to-end
encrypted. A payload that makes no sense is forwarded as it is, as a packet in the middle of a picture.
"""

from typing import Protocol

from sfu.codecs import keyframe, vp8
from sfu.forwarding.packet import MediaPacket
from sfu.rtp.sequence import extend_bits


class Reader(Protocol):
    """Fills in what the codec tells. One per received stream: picture ids are extended from packet to packet."""

    def read(self, packet: MediaPacket) -> MediaPacket: ...


class AudioReader:
    """Any audio packet is a place to start."""

    __slots__ = ()

    def read(self, packet: MediaPacket) -> MediaPacket:
        return packet._replace(keyframe=True)


class KeyframeReader:
    """Codecs without ids to rewrite: only key frames matter."""

    __slots__ = ("_is_keyframe",)

    def __init__(self, mime: str) -> None:
        self._is_keyframe = keyframe.detector(mime)

    def read(self, packet: MediaPacket) -> MediaPacket:
        if self._is_keyframe(memoryview(packet.payload)):
            return packet._replace(keyframe=True, picture_start=True)
        return packet


class Vp8Reader:
    """VP8 (RFC 7741): temporal layers, and ids that must go on without holes."""

    __slots__ = ("_picture", "_tl0")

    def __init__(self) -> None:
        self._picture = 1 << 15
        self._tl0 = 1 << 8

    def read(self, packet: MediaPacket) -> MediaPacket:
        payload = memoryview(packet.payload)
        descriptor = vp8.parse(payload)
        if descriptor is None:
            return packet
        if descriptor.picture_id_bits == 7:
            # Ids keep one width towards subscribers, whatever the publisher does.
            packet = packet._replace(payload=vp8.widen(payload))
            descriptor = vp8.parse(memoryview(packet.payload)) or descriptor
        picture = -1
        if descriptor.picture_id >= 0:
            picture = self._picture = extend_bits(self._picture, descriptor.picture_id, 15)
        tl0, tl0_at = 0, max(descriptor.tl0_offset, 0)
        if tl0_at:
            tl0 = self._tl0 = extend_bits(self._tl0, descriptor.tl0_index, 8)
        return packet._replace(
            keyframe=descriptor.keyframe,
            picture_start=descriptor.start,
            temporal=descriptor.tid,
            layer_sync=descriptor.layer_sync,
            picture=picture,
            picture_at=max(descriptor.picture_id_offset, 0),
            tl0=tl0,
            tl0_at=tl0_at,
            key_index=max(descriptor.key_index, 0),
            key_index_at=max(descriptor.key_index_offset, 0),
        )


def reader_for(mime: str) -> Reader:
    """A reader for one stream of a codec (``video/vp8``, lower case)."""
    if mime == "video/vp8":
        return Vp8Reader()
    if mime.startswith("audio/"):
        return AudioReader()
    return KeyframeReader(mime)
