"""RTP header extensions: the one-byte and two-byte forms (RFC 8285) and the values of those in use."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from sfu.rtp.errors import RtpError

ONE_BYTE_PROFILE: Final = 0xBEDE
TWO_BYTE_PROFILE: Final = 0x1000
TWO_BYTE_MASK: Final = 0xFFF0
"""The lowest four bits of a two-byte profile are free for the application ("appbits")."""

MAX_ONE_BYTE_ID: Final = 14
MAX_ONE_BYTE_LENGTH: Final = 16
MAX_TWO_BYTE_ID: Final = 255
MAX_TWO_BYTE_LENGTH: Final = 255
MAX_BLOCK_WORDS: Final = 0xFFFF


class ExtensionUri(StrEnum):
    """URIs that ``a=extmap`` names. Those of ``www.webrtc.org`` are described in libwebrtc's docs only."""

    MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
    RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
    REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
    ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    FRAME_MARKING_07 = "http://tools.ietf.org/html/draft-ietf-avtext-framemarking-07"
    FRAME_MARKING = "urn:ietf:params:rtp-hdrext:framemarking"
    AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    CSRC_AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:csrc-audio-level"
    VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
    TRANSMISSION_OFFSET = "urn:ietf:params:rtp-hdrext:toffset"
    ABS_CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
    PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
    DEPENDENCY_DESCRIPTOR = (
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
    )
    VIDEO_LAYERS_ALLOCATION = "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00"
    VIDEO_CONTENT_TYPE = "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type"
    VIDEO_TIMING = "http://www.webrtc.org/experiments/rtp-hdrext/video-timing"
    COLOR_SPACE = "http://www.webrtc.org/experiments/rtp-hdrext/color-space"
    CORRUPTION_DETECTION = "http://www.webrtc.org/experiments/rtp-hdrext/corruption-detection"
    ENCRYPT = "urn:ietf:params:rtp-hdrext:encrypt"


def walk(packet: memoryview | bytes, profile: int, start: int, end: int) -> list[tuple[int, int, int]]:
    """List the elements of an extension block as ``(id, offset, length)`` of their values.

    ``profile``, ``start`` and ``end`` are those of ``RtpHeader``. A profile of neither form has
    no elements.

    Raises:
        RtpError: an element reaches past ``end``.
    """
    if profile == ONE_BYTE_PROFILE:
        return _walk_one_byte(packet, start, end)
    if profile & TWO_BYTE_MASK == TWO_BYTE_PROFILE:
        return _walk_two_byte(packet, start, end)
    return []


def _walk_one_byte(packet: memoryview | bytes, offset: int, end: int) -> list[tuple[int, int, int]]:
    elements = []
    while offset < end:
        head = packet[offset]
        offset += 1
        if not head:
            continue
        identifier = head >> 4
        # Id 15 stops the reading, and so does padding that claims a length (RFC 8285 section 4.2).
        if identifier == 15 or not identifier:
            break
        length = (head & 15) + 1
        elements.append((identifier, offset, length))
        offset += length
    if offset > end:
        raise RtpError("header extension reaches past its block")
    return elements


def _walk_two_byte(packet: memoryview | bytes, offset: int, end: int) -> list[tuple[int, int, int]]:
    elements = []
    while offset < end:
        identifier = packet[offset]
        offset += 1
        if not identifier:
            continue
        if offset == end:
            raise RtpError("header extension without its length")
        length = packet[offset]
        offset += 1
        elements.append((identifier, offset, length))
        offset += length
    if offset > end:
        raise RtpError("header extension reaches past its block")
    return elements


def encode(elements: Sequence[tuple[int, bytes]]) -> bytes:
    """Write ``(id, value)`` pairs as a block with its profile and length; no bytes at all for no elements.

    The two-byte form is used only if an element needs it: an empty or long value, or an id above 14.

    Raises:
        RtpError: an id or a length fits neither form.
    """
    if not elements:
        return b""
    wide = any(
        identifier > MAX_ONE_BYTE_ID or not 1 <= len(value) <= MAX_ONE_BYTE_LENGTH
        for identifier, value in elements
    )
    body = bytearray()
    for identifier, value in elements:
        if not 1 <= identifier <= MAX_TWO_BYTE_ID or len(value) > MAX_TWO_BYTE_LENGTH:
            raise RtpError("header extension id or length out of range")
        if wide:
            body += bytes((identifier, len(value)))
        else:
            body.append(identifier << 4 | len(value) - 1)
        body += value
    body += bytes(-len(body) % 4)
    words = len(body) // 4
    if words > MAX_BLOCK_WORDS:
        raise RtpError("header extension block too long")
    profile = TWO_BYTE_PROFILE if wide else ONE_BYTE_PROFILE
    return profile.to_bytes(2, "big") + words.to_bytes(2, "big") + body


def audio_level(value: int) -> tuple[bool, int]:
    """Split the first byte of an audio level: voice activity, and -dBov from 0 (loud) to 127 (RFC 6464)."""
    return value > 127, value & 0x7F


def encode_audio_level(voice: bool, level: int) -> bytes:
    """Write an audio level; ``level`` in -dBov is clamped to 0..127."""
    return bytes((voice << 7 | min(max(level, 0), 127),))


def abs_send_time(now_s: float) -> int:
    """Fold seconds into the 24-bit 6.18 fixed-point value that wraps every 64 s."""
    return int(now_s * (1 << 18)) & 0xFFFFFF


def abs_send_time_s(value: int) -> float:
    """Read a 24-bit 6.18 value as seconds, 0 to 64."""
    return value / (1 << 18)


def playout_delay(value: bytes | memoryview) -> tuple[float, float]:
    """Read the wished shortest and longest playout delay, in seconds, of a three-byte value.

    Raises:
        RtpError: not three bytes.
    """
    if len(value) != 3:
        raise RtpError("playout delay is not three bytes")
    both = int.from_bytes(value, "big")
    return (both >> 12) / 100, (both & 0xFFF) / 100


def encode_playout_delay(shortest_s: float, longest_s: float) -> bytes:
    """Write a playout delay in steps of 10 ms, clamped to 0..40.95 s."""
    low, high = (min(max(round(bound * 100), 0), 0xFFF) for bound in (shortest_s, longest_s))
    return (low << 12 | high).to_bytes(3, "big")


def abs_capture_time(value: bytes | memoryview) -> tuple[int, int]:
    """Read the capture time and the estimated offset of its clock (0 if absent), both in 2^-32 s of NTP time.

    Raises:
        RtpError: neither 8 nor 16 bytes.
    """
    if len(value) not in (8, 16):
        raise RtpError("absolute capture time is neither 8 nor 16 bytes")
    return int.from_bytes(value[:8], "big"), int.from_bytes(value[8:], "big", signed=True)


def encode_abs_capture_time(ntp: int, clock_offset: int | None = None) -> bytes:
    """Write a capture time as 64-bit NTP, and the clock offset if given.

    Raises:
        RtpError: a value doesn't fit 64 bits.
    """
    try:
        stamp = ntp.to_bytes(8, "big")
        return stamp if clock_offset is None else stamp + clock_offset.to_bytes(8, "big", signed=True)
    except OverflowError as error:
        raise RtpError("capture time out of range") from error


def text(value: bytes | memoryview) -> str:
    """Read a MID or RID (SDES items as extensions, RFC 7941).

    Raises:
        RtpError: empty or not ASCII.
    """
    try:
        decoded = bytes(value).decode("ascii")
    except UnicodeDecodeError as error:
        raise RtpError("SDES header extension is not ASCII") from error
    if not decoded:
        raise RtpError("SDES header extension is empty")
    return decoded
