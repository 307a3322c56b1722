"""Opus packets (RFC 6716 section 3): the table-of-contents byte, and silence."""

from typing import Final

SILENCE: Final = b"\xf8\xff\xfe"
"""A 20 ms mono CELT frame of silence."""
MAX_DURATION_S: Final = 0.12
"""A packet holds no more (RFC 6716 section 3.2.5)."""

_SILK_S: Final = (0.01, 0.02, 0.04, 0.06)
_HYBRID_S: Final = (0.01, 0.02)
_CELT_S: Final = (0.0025, 0.005, 0.01, 0.02)
_FRAME_S: Final = _SILK_S * 3 + _HYBRID_S * 2 + _CELT_S * 4
"""Frame duration by the five bits of the configuration."""


def duration_s(payload: memoryview | bytes) -> float | None:
    """Work out how much sound a packet holds; ``None`` if it is malformed."""
    if not payload:
        return None
    code = payload[0] & 0x03
    frames = 1 if not code else 2
    if code == 3:
        if len(payload) < 2:
            return None
        frames = payload[1] & 0x3F
    duration = frames * _FRAME_S[payload[0] >> 3]
    return duration if 0 < duration <= MAX_DURATION_S else None


def is_dtx(payload: memoryview | bytes) -> bool:
    """Tell whether the sender has stopped transmitting (DTX): its packets then hold empty frames."""
    length = len(payload)
    if not length:
        return False
    code = payload[0] & 0x03
    return length == 1 if code < 2 else code == 2 and length == 2 and not payload[1]
