"""NTP time in its 64-bit form of 32.32 fixed point, and the middle 32 bits that reports carry.

Source: RFC 3550 section 4. The 64-bit form counts from 1900 and wraps in February 2036.
"""

from typing import Final

UNIX_EPOCH_S: Final = 2_208_988_800
"""Seconds from 1900 to 1970."""
ERA_S: Final = 1 << 32
"""Seconds until the 64-bit form wraps."""
EARLIEST_UNIX_S: Final = (1 << 31) - UNIX_EPOCH_S
"""20 January 1968: a stamp with the top bit clear is read as one after the wrap (RFC 4330 section 3)."""
FRACTION: Final = 1 << 32
MIDDLE_UNITS_PER_S: Final = 1 << 16
"""Units of the middle 32 bits, and of LSR, DLSR and DLRR."""


def from_unix(unix_s: float) -> int:
    """Write Unix seconds as 64-bit NTP."""
    whole, part = divmod(unix_s, 1)
    return (int(whole) + UNIX_EPOCH_S) % ERA_S << 32 | min(round(part * FRACTION), FRACTION - 1)


def to_unix(ntp: int) -> float:
    """Read 64-bit NTP as Unix seconds, 1968 to 2104."""
    seconds = (ntp >> 32) - UNIX_EPOCH_S
    if seconds < EARLIEST_UNIX_S:
        seconds += ERA_S
    return seconds + (ntp & FRACTION - 1) / FRACTION


def middle_from_unix(unix_s: float) -> int:
    """The middle 32 bits of Unix seconds."""
    return int((unix_s + UNIX_EPOCH_S) * MIDDLE_UNITS_PER_S) & 0xFFFFFFFF


def middle(ntp: int) -> int:
    """Take the middle 32 bits: seconds modulo 65536 in units of 2^-16 s."""
    return ntp >> 16 & 0xFFFFFFFF


def to_units(duration_s: float) -> int:
    """Write a duration in units of 2^-16 s, as DLSR does, clamped to 32 bits."""
    return min(max(round(duration_s * MIDDLE_UNITS_PER_S), 0), 0xFFFFFFFF)


def round_trip_s(now_middle: int, last_report: int, delay: int) -> float | None:
    """Work out the round trip from LSR and DLSR (RFC 3550 section 6.4.1), in seconds.

    ``None`` without a report (LSR 0), and for a negative time, which no honest peer causes.
    """
    if not last_report:
        return None
    elapsed = now_middle - last_report - delay & 0xFFFFFFFF
    return elapsed / MIDDLE_UNITS_PER_S if elapsed < 1 << 31 else None
