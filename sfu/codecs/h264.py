"""H.264 payloads (RFC 6184): single NAL units, STAP-A and FU-A."""

from collections.abc import Iterator
from typing import Final

IDR: Final = 5
SPS: Final = 7
STAP_A: Final = 24
FU_A: Final = 28
FU_B: Final = 29

_TYPE: Final = 0x1F


def is_keyframe_start(payload: memoryview | bytes) -> bool:
    """Tell whether a sequence parameter set is in this packet, with which key frames start.

    Encoders for WebRTC repeat it before every IDR picture, and who joins can't decode one without. Some send
    it in a packet of its own, so what has the same timestamp belongs to the key frame as well.
    """
    return any(payload[start] & _TYPE == SPS for start, _ in _units(payload)) or _fragment(payload) == SPS


def is_idr_start(payload: memoryview | bytes) -> bool:
    """Tell whether an IDR picture begins here, decodable only where its parameter sets are known already."""
    if _fragment(payload) == IDR:
        return _is_first_slice(payload, 2)
    return any(
        payload[start] & _TYPE == IDR and end - start > 1 and _is_first_slice(payload, start + 1)
        for start, end in _units(payload)
    )


def _units(payload: memoryview | bytes) -> Iterator[tuple[int, int]]:
    """List whole NAL units as start and end: one, or those of a STAP-A up to the first that doesn't fit."""
    length = len(payload)
    if not length:
        return
    kind = payload[0] & _TYPE
    if 1 <= kind < STAP_A:
        yield 0, length
    if kind != STAP_A:
        return
    at = 1
    while at + 2 < length:
        start = at + 2
        at = start + (payload[at] << 8 | payload[at + 1])
        if at == start or at > length:
            return
        yield start, at


def _fragment(payload: memoryview | bytes) -> int:
    """Type of the NAL unit whose first fragment this is; 0 if it is none."""
    if len(payload) > 2 and payload[0] & _TYPE in (FU_A, FU_B) and payload[1] & 0x80:
        return payload[1] & _TYPE
    return 0


def _is_first_slice(payload: memoryview | bytes, start: int) -> bool:
    """Tell whether first_mb_in_slice, an Exp-Golomb number, is 0: its first bit is then set."""
    return start < len(payload) and payload[start] & 0x80 != 0
