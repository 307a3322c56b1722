"""Payloads shaped as real encoders packetise them, with nothing decodable inside.

Each ``*_frame`` function turns one encoded frame into RTP payloads: descriptors, key-frame marks and
aggregation are as their payload format says, the rest is noise of the right size.
"""

from itertools import pairwise
from random import Random

MTU = 1100
"""Largest payload made."""

SPS = bytes.fromhex("6742c01fd9005005bb011000000300100000030320f18322e480")
PPS = bytes.fromhex("68cb83cb20")
_OBU_SEQUENCE_HEADER = bytes.fromhex(
    "0a0b00000004473d7ff7bfff40"
)  # type 1, has_size, as an encoder writes it


def noise(size: int, random: Random) -> bytes:
    return random.randbytes(max(0, size))


def pieces(data: bytes, limit: int) -> list[bytes]:
    """Nearly equal parts of at most ``limit`` bytes, the way encoders split a frame."""
    count = max(1, -(-len(data) // limit))
    each, rest = divmod(len(data), count)
    ends = [each * (n + 1) + min(n + 1, rest) for n in range(count)]
    return [data[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def vp8_frame(
    size: int,
    random: Random,
    *,
    key: bool,
    picture_id: int,
    tl0: int = 0,
    temporal: int = 0,
    sync: bool = False,
    layered: bool = True,
    width: int = 640,
    height: int = 360,
) -> list[bytes]:
    """RFC 7741: 15-bit picture ids, TL0PICIDX and TID when ``layered``."""
    head = bytes([0 if key else 1, 0, 0])  # frame tag; bit 0 clear marks a key frame
    if key:
        head += b"\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little")
    extended = bytes([0xE0 if layered else 0x80]) + (0x8000 | picture_id & 0x7FFF).to_bytes(2, "big")
    if layered:
        extended += bytes([tl0 & 0xFF, temporal << 6 | (0x20 if sync else 0)])
    parts = pieces(head + noise(size - len(head), random), MTU)
    return [bytes([0x90 if n == 0 else 0x80]) + extended + part for n, part in enumerate(parts)]


def vp9_frame(
    size: int,
    random: Random,
    *,
    key: bool,
    picture_id: int,
    tl0: int = 0,
    temporal: int = 0,
    spatial: int = 0,
    spatial_layers: int = 1,
    switch_up: bool = False,
    width: int = 640,
    height: int = 360,
) -> list[bytes]:
    """RFC 9628 in non-flexible mode: one spatial layer's frame of a picture, scalability structure on key
    frames.
    """
    predicted = not key
    parts = pieces(noise(size, random), MTU)
    payloads = []
    for n, part in enumerate(parts):
        structure = key and spatial == 0 and n == 0
        first = 0xA0 | predicted << 6 | (n == 0) << 3 | (n == len(parts) - 1) << 2 | structure << 1
        head = bytes([first]) + (0x8000 | picture_id & 0x7FFF).to_bytes(2, "big")
        head += bytes([temporal << 5 | switch_up << 4 | spatial << 1 | (spatial > 0), tl0 & 0xFF])
        if structure:
            head += bytes([(spatial_layers - 1) << 5 | 0x10])
            for layer in range(spatial_layers):
                shift = spatial_layers - 1 - layer
                head += (width >> shift).to_bytes(2, "big") + (height >> shift).to_bytes(2, "big")
        payloads.append(head + part)
    return payloads


def h264_frame(size: int, random: Random, *, key: bool) -> list[bytes]:
    """RFC 6184, mode 1: SPS and PPS in a STAP-A before each IDR, FU-A where a slice is too long."""
    payloads = []
    if key:
        aggregate = b"".join(len(unit).to_bytes(2, "big") + unit for unit in (SPS, PPS))
        payloads.append(b"\x78" + aggregate)
    header = 0x65 if key else 0x41
    body = noise(size, random)
    if len(body) < MTU:
        return [*payloads, bytes([header]) + body]
    parts = pieces(body, MTU)
    indicator = header & 0xE0 | 28
    for n, part in enumerate(parts):
        mark = (0x80 if n == 0 else 0) | (0x40 if n == len(parts) - 1 else 0)
        payloads.append(bytes([indicator, mark | header & 0x1F]) + part)
    return payloads


def av1_frame(size: int, random: Random, *, key: bool) -> list[bytes]:
    """AV1 RTP: one frame OBU, on key frames after a sequence header, continued by the Z and Y bits."""
    # OBU type 6 without a size; show_existing_frame 0, then the frame type.
    frame = b"\x30" + (b"\x10" if key else b"\x30") + noise(size, random)
    parts = pieces(frame, MTU)
    payloads = []
    for n, part in enumerate(parts):
        head = (0x80 if n else 0) | (0x40 if n < len(parts) - 1 else 0)
        if key and n == 0:
            sequence_header = bytes([_OBU_SEQUENCE_HEADER[0] & ~0x02]) + _OBU_SEQUENCE_HEADER[2:]
            payloads.append(bytes([head | 0x28, len(sequence_header)]) + sequence_header + part)
        else:
            payloads.append(bytes([head | 0x10]) + part)
    return payloads


def opus_packet(size: int, random: Random, *, dtx: bool = False) -> bytes:
    """RFC 7587: 20 ms, full band, mono; a lone TOC byte when silent."""
    return b"\x78" if dtx else b"\x78" + noise(size - 1, random)


class _Bits:
    def __init__(self) -> None:
        self._value = 0
        self._count = 0

    def put(self, value: int, width: int) -> None:
        self._value = self._value << width | value
        self._count += width

    def done(self) -> bytes:
        spare = -self._count % 8
        return (self._value << spare).to_bytes((self._count + spare) // 8, "big")


def dependency_descriptor(
    frame_number: int, *, template: int, start: bool, end: bool, temporal_layers: int, key: bool
) -> bytes:
    """The AV1 dependency descriptor of an L1Tn stream; the structure is attached to a key frame's first
    packet.

    Templates: 0 is the key frame, 1 and up one for each temporal layer's delta frames. One decode target per
    temporal layer, no chains.
    """
    bits = _Bits()
    bits.put(start, 1)
    bits.put(end, 1)
    bits.put(template, 6)
    bits.put(frame_number & 0xFFFF, 16)
    if not (key and start):
        return bits.done()
    bits.put(0b10000, 5)  # structure only
    bits.put(0, 6)  # template id offset
    bits.put(temporal_layers - 1, 5)
    temporals = [0, *range(temporal_layers)]
    for here, after in pairwise(temporals):
        bits.put(0 if here == after else 1, 2)
    bits.put(3, 2)  # no more templates
    for temporal in temporals:
        for target in range(temporal_layers):
            bits.put(0 if temporal > target else 2 if temporal in (0, target) else 3, 2)
    differences = [None, *(1 << (temporal_layers - 1 - temporal) for temporal in range(temporal_layers))]
    for difference in differences:
        if difference is not None:
            bits.put(1, 1)
            bits.put(difference - 1, 4)
        bits.put(0, 1)
    _put_non_symmetric(bits, 0, temporal_layers + 1)  # chains
    bits.put(0, 1)  # resolutions
    return bits.done()


def _put_non_symmetric(bits: _Bits, value: int, count: int) -> None:
    """``ns(n)`` of the AV1 specification."""
    width = count.bit_length()
    short = (1 << width) - count
    if value < short:
        bits.put(value, width - 1)
    else:
        extra = value + short
        bits.put(extra >> 1, width - 1)
        bits.put(extra & 1, 1)
