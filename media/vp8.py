"""VP8 in RTP: payload descriptors, and frames from packets (RFC 7741). Sans-IO."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_FRAME_BYTES = 4 << 20
"""Of an encoded frame; a larger one is dropped."""
_START = 0x10
_EXTENDED = 0x80
_PICTURE_ID = 0x80


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One frame, whole."""

    data: bytes
    timestamp: int
    keyframe: bool


def packetize(data: bytes, picture_id: int, max_bytes: int) -> Sequence[bytes]:
    """Cut a frame into payloads of about equal size, at most ``max_bytes`` with their descriptors."""
    room = max_bytes - 4
    count = max(-(-len(data) // room), 1)
    each = -(-len(data) // count)
    tail = bytes((_PICTURE_ID, 0x80 | picture_id >> 8 & 0x7F, picture_id & 0xFF))
    return [
        bytes((_EXTENDED | (0 if at else _START),)) + tail + data[at : at + each]
        for at in range(0, len(data), each)
    ]


def descriptor_length(payload: bytes) -> int:
    """Bytes of a payload's descriptor; 0 when it is cut off or nothing follows it."""
    if not payload:
        return 0
    length = 1
    if payload[0] & _EXTENDED:
        if len(payload) < 2:
            return 0
        flags = payload[1]
        length = 2
        if flags & 0x80:
            if len(payload) < 3:
                return 0
            length += 2 if payload[2] & 0x80 else 1
        length += bool(flags & 0x40) + bool(flags & 0x30)
    return length if length < len(payload) else 0


class Assembler:
    """Makes frames of packets that come in order. After a loss it waits for a key frame."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._timestamp = 0
        self._next = -1
        self.broken = True
        """Nothing comes before the next key frame."""

    def push(self, number: int, timestamp: int, marker: bool, payload: bytes) -> EncodedFrame | None:
        """Take a packet by its extended sequence number; returns the frame that it completes."""
        gap = self._next >= 0 and number != self._next
        self._next = number + 1
        if gap:
            self.lose()
        length = descriptor_length(payload)
        if not length:
            self.lose()
            return None
        if payload[0] & _START and not payload[0] & 0x07:
            if self._parts:
                self.lose()
            if self.broken and payload[length] & 0x01:
                return None
            self.broken = False
            self._timestamp = timestamp
        elif not self._parts or timestamp != self._timestamp:
            self.lose()
            return None
        self._parts.append(payload[length:])
        self._size += len(payload) - length
        if self._size > MAX_FRAME_BYTES:
            self.lose()
            return None
        return self._complete() if marker else None

    def lose(self) -> None:
        """What is incomplete never will be, and what refers to it is of no use."""
        self._parts.clear()
        self._size = 0
        self.broken = True

    def _complete(self) -> EncodedFrame:
        data = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return EncodedFrame(data, self._timestamp, not data[0] & 0x01)
