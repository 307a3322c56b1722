"""Reading payloads just deep enough to forward them: where pictures begin, which are key frames, what has an id.

Nothing past the payload descriptor (or the first bytes that tell a key frame) is looked at: the rest may be end-to-end
encrypted. A payload that makes no sense is forwarded as it is, as a packet in the middle of a picture.
"""

from typing import Protocol

from sfu.codecs import keyframe, vp8
from sfu.compiled.streams import PICTURE, TL0
from sfu.forwarding.layout import Layout
from sfu.forwarding.packet import MediaPacket, packet_of
from sfu.rtp.sequence import extend_bits
from sfu.streams.columns import StreamRows


class Reader(Protocol):
    """Makes packets, with what the codec tells. One per received stream: picture ids are extended from packet to
    packet."""

    def read(
        self, payload: bytes | memoryview, timestamp: int, marker: int, slot: int, layout: Layout, block: int
    ) -> MediaPacket: ...


class AudioReader:
    """Any audio packet is a place to start."""

    __slots__ = ()

    def read(
        self, payload: bytes | memoryview, timestamp: int, marker: int, slot: int, layout: Layout, block: int
    ) -> MediaPacket:
        return packet_of(
            (payload, timestamp, marker, slot, layout, block, True, False, 0, False, -1, 0, 0, 0, 0, 0)
        )


class KeyframeReader:
    """Codecs without ids to rewrite: only key frames matter."""

    __slots__ = ("_is_keyframe",)

    def __init__(self, mime: str) -> None:
        self._is_keyframe = keyframe.detector(mime)

    def read(
        self, payload: bytes | memoryview, timestamp: int, marker: int, slot: int, layout: Layout, block: int
    ) -> MediaPacket:
        key = self._is_keyframe(memoryview(payload))
        return packet_of(
            (payload, timestamp, marker, slot, layout, block, key, key, 0, False, -1, 0, 0, 0, 0, 0)
        )


class Vp8Reader:
    """VP8 (RFC 7741): temporal layers, and ids that must go on without holes."""

    __slots__ = ("_continued", "_rest", "_row", "_rows")

    def __init__(self, rows: StreamRows | None = None, row: int = 0) -> None:
        """Keeps ids in the row of its stream, where compiled loops find them."""
        self._rows = StreamRows() if rows is None else rows
        self._row = row
        word = self._rows.word
        word[row, PICTURE], word[row, TL0] = 1 << 15, 1 << 8
        self._continued: bytes | memoryview = b""
        """Descriptor of the latest picture behind its first byte; empty when there is nothing to go on with."""
        self._rest: tuple[int, bool, int, int, int, int, int, int] = (0, False, -1, 0, 0, 0, 0, 0)
        """Fields from ``temporal`` on of a packet with that descriptor."""

    def read(
        self, payload: bytes | memoryview, timestamp: int, marker: int, slot: int, layout: Layout, block: int
    ) -> MediaPacket:
        continued = self._continued
        # Later packets of a picture repeat its descriptor, but for the bit that says that it begins.
        end = 1 + len(continued)
        if (
            end > 1
            and self._rest[2] == self._rows.word[self._row, PICTURE]
            and len(payload) > end
            and payload[0] & 0x90 == 0x80
            and payload[1:end] == continued
        ):
            temporal, sync, picture, picture_at, tl0, tl0_at, key_index, key_index_at = self._rest
            return packet_of(
                (payload, timestamp, marker, slot, layout, block, False, False, temporal, sync,
                 picture, picture_at, tl0, tl0_at, key_index, key_index_at)
            )  # fmt: skip
        return self._parse(payload, timestamp, marker, slot, layout, block)

    def _parse(
        self, payload: bytes | memoryview, timestamp: int, marker: int, slot: int, layout: Layout, block: int
    ) -> MediaPacket:
        self._continued = b""
        word, row = self._rows.word, self._row
        given = payload
        found = vp8.parse(payload)
        if found is None:
            return packet_of(
                (payload, timestamp, marker, slot, layout, block, False, False, 0, False, -1, 0, 0, 0, 0, 0)
            )
        if found.picture_id_bits == 7:
            # Ids keep one width towards subscribers, whatever the publisher does.
            payload = vp8.widen(payload)
            found = vp8.parse(payload) or found
        (start, key, picture, picture_at, bits, tl0, tl0_at, temporal, sync, key_index, key_index_at,
         end, _, _) = found  # fmt: skip
        if bits and payload is given:
            self._continued = bytes(payload[1:end])
        if picture >= 0:
            picture = word[row, PICTURE] = extend_bits(word[row, PICTURE], picture, 15)
        if tl0_at > 0:
            tl0 = word[row, TL0] = extend_bits(word[row, TL0], tl0, 8)
        else:
            tl0 = tl0_at = 0
        if key_index_at < 0:
            key_index = key_index_at = 0
        if picture_at < 0:
            picture_at = 0
        self._rest = temporal, sync, picture, picture_at, tl0, tl0_at, key_index, key_index_at
        return packet_of(
            (payload, timestamp, marker, slot, layout, block, key, start, temporal, sync,
             picture, picture_at, tl0, tl0_at, key_index, key_index_at)
        )  # fmt: skip


def reader_for(mime: str, rows: StreamRows | None = None, row: int = 0) -> Reader:
    """A reader for one stream of a codec (``video/vp8``, lower case)."""
    if mime == "video/vp8":
        return Vp8Reader(rows, row)
    if mime.startswith("audio/"):
        return AudioReader()
    return KeyframeReader(mime)
