"""Packets over TCP: each preceded by its length in two bytes (RFC 4571), as ICE-TCP carries them (RFC
6544)."""

from sfu.net.errors import FramingError

MAX_FRAME_SIZE = 2048
"""Bytes of one packet that we take. Peers keep to their path's MTU over TCP too."""
MAX_EMPTY_FRAMES = 16
"""Packets of length 0 in a row; the RFC has them ignored, but nobody sends them."""


def frame(packet: bytes) -> bytes:
    """Put the length before a packet. Raises FramingError beyond 65535 bytes."""
    if len(packet) > 0xFFFF:
        raise FramingError("packet too long")
    return len(packet).to_bytes(2, "big") + packet


class Deframer:
    """Cuts one connection's byte stream into packets; holds at most one unfinished packet."""

    __slots__ = ("_empty_frames", "_max_frame_size", "_rest")

    def __init__(self, max_frame_size: int = MAX_FRAME_SIZE) -> None:
        self._max_frame_size = max_frame_size
        self._rest = b""
        self._empty_frames = 0

    @property
    def pending(self) -> int:
        """Bytes of an unfinished packet; a peer that leaves some for long is stalling."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the packets that these bytes complete.

        Raises FramingError if a packet is longer than allowed or empty ones pile up; the connection is then
        lost.
        """
        data = self._rest + data
        packets = []
        at, size = 0, len(data)
        while at + 2 <= size:
            end = at + 2 + int.from_bytes(data[at : at + 2], "big")
            if end - at - 2 > self._max_frame_size:
                raise FramingError("frame too long")
            if end > size:
                break
            if end == at + 2:
                self._empty_frames += 1
                if self._empty_frames > MAX_EMPTY_FRAMES:
                    raise FramingError("empty frames")
            else:
                self._empty_frames = 0
                packets.append(data[at + 2 : end])
            at = end
        self._rest = data[at:]
        return packets
