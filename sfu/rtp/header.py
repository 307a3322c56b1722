"""The RTP fixed header (RFC 3550 section 5.1) and the sorting of datagrams that share a port (RFC 7983)."""

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from sfu.rtp.errors import RtpError

VERSION = 2
FIXED_LENGTH = 12
"""Bytes of an RTP header without CSRCs and extension."""
EXTENSION_HEADER_LENGTH = 4
"""Bytes of profile and length before the extension elements."""
MAX_CSRCS = 15

FIXED_HEAD = struct.Struct("!BBHIIHH")
"""The fixed header as it is on the wire, and the two words that begin a header extension if the packet has one and no
CSRCs (else they are something else)."""
RtpHead = tuple[int, int, int, int, int, int, int]
"""What FIXED_HEAD reads: first and second byte, sequence number, timestamp, SSRC, extension profile and length."""

_FIXED = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")


class PacketClass(IntEnum):
    """What a datagram on a media port is."""

    UNKNOWN = 0
    STUN = 1
    DTLS = 2
    RTP = 3
    RTCP = 4


class RtpHeader(NamedTuple):
    """A parsed header; positions are byte offsets into the packet.

    Without an extension ``extension_profile`` is 0 and both extension offsets equal ``payload_start``.
    ``payload_end`` leaves padding out, so a packet of padding alone has an empty payload.
    """

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    extension_profile: int
    extension_start: int
    """First byte after the extension's profile and length."""
    extension_end: int
    payload_start: int
    payload_end: int


def demux(first_byte: int, second_byte: int) -> PacketClass:
    """Sort a datagram by its first byte, and RTP from RTCP by the second (RFC 7983, RFC 5761 section 4).

    The cost of RTCP on the same port: payload types 64 to 95 can't be used with the marker bit set.
    """
    if 128 <= first_byte <= 191:
        return PacketClass.RTCP if 192 <= second_byte <= 223 else PacketClass.RTP
    if first_byte <= 3:
        return PacketClass.STUN
    if 20 <= first_byte <= 63:
        return PacketClass.DTLS
    return PacketClass.UNKNOWN


def parse_header(packet: memoryview | bytes, length: int) -> RtpHeader:
    """Read the header of the RTP packet in the first ``length`` bytes of ``packet``.

    Raises:
        RtpError: not version 2, or CSRCs, extension or padding reach outside the packet.
    """
    if length < FIXED_LENGTH or length > len(packet):
        raise RtpError("packet shorter than an RTP header")
    first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(packet)
    if first >> 6 != VERSION:
        raise RtpError("not RTP version 2")
    start = FIXED_LENGTH + (first & 0x0F) * 4
    profile = 0
    extension_start = start
    if first & 0x10:
        extension_start = start + EXTENSION_HEADER_LENGTH
        if extension_start > length:
            raise RtpError("truncated CSRC list or extension header")
        profile, words = _EXTENSION.unpack_from(packet, start)
        start = extension_start + words * 4
    end = length
    if first & 0x20:
        padding = packet[length - 1]
        if not padding:
            raise RtpError("padding of length 0")
        end = length - padding
    if start > end:
        raise RtpError("header and padding overlap")
    return RtpHeader(
        second > 127,
        second & 0x7F,
        sequence,
        timestamp,
        ssrc,
        profile,
        extension_start,
        start,
        start,
        end,
    )


def build_header(
    *,
    payload_type: int,
    sequence: int,
    timestamp: int,
    ssrc: int,
    marker: bool = False,
    extension: bytes = b"",
    csrcs: Sequence[int] = (),
    padding: bool = False,
) -> bytes:
    """Write a header, to be followed by the payload.

    Args:
        extension: a whole extension block as ``extensions.encode`` makes it, profile and length included.
        padding: set the padding bit; the caller appends the padding.

    Raises:
        RtpError: a value doesn't fit its field.
    """
    if not 0 <= payload_type <= 127 or len(csrcs) > MAX_CSRCS or len(extension) % 4:
        raise RtpError("header field out of range")
    first = VERSION << 6 | padding << 5 | bool(extension) << 4 | len(csrcs)
    try:
        fixed = _FIXED.pack(first, marker << 7 | payload_type, sequence, timestamp, ssrc)
        return fixed + b"".join(csrc.to_bytes(4, "big") for csrc in csrcs) + extension
    except (OverflowError, struct.error) as error:
        raise RtpError("header field out of range") from error
