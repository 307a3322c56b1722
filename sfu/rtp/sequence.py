"""Counters that wrap: sequence numbers and timestamps extended to integers that never do."""

from sfu.rtp.errors import RtpError


def extend(reference: int, sequence: int) -> int:
    """Return the integer nearest to ``reference`` whose low 16 bits are ``sequence``; a tie goes forward.

    The result is negative when ``sequence`` lies before the wrap that ``reference`` 0 starts at: begin a
    stream at ``sequence + 65536`` where that matters.
    """
    return reference + ((sequence - reference + 0x7FFF & 0xFFFF) - 0x7FFF)


def extend32(reference: int, timestamp: int) -> int:
    """Return the integer nearest to ``reference`` whose low 32 bits are ``timestamp``; a tie goes forward."""
    return reference + ((timestamp - reference + 0x7FFFFFFF & 0xFFFFFFFF) - 0x7FFFFFFF)


def extend_bits(reference: int, value: int, bits: int) -> int:
    """Do the same for a counter of any width, such as a 7-bit picture id.

    Raises:
        RtpError: ``bits`` is not positive.
    """
    if bits <= 0:
        raise RtpError("a counter needs at least one bit")
    half = (1 << bits - 1) - 1
    return reference + ((value - reference + half & (1 << bits) - 1) - half)


def newer(sequence: int, than: int) -> bool:
    """Tell whether a 16-bit ``sequence`` follows ``than``, which it does up to half the range ahead."""
    return 0 < (sequence - than & 0xFFFF) <= 0x8000


def newer32(timestamp: int, than: int) -> bool:
    """Tell whether a 32-bit ``timestamp`` follows ``than``."""
    return 0 < (timestamp - than & 0xFFFFFFFF) <= 0x80000000
