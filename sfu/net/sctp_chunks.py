"""Reading SCTP packets (RFC 9260 section 3): cut them into chunks and check what is in those, before
acting."""

from collections.abc import Iterable, Iterator
from struct import Struct

DATA, INIT, INIT_ACK, SACK, ABORT, SHUTDOWN, RECONFIG, FORWARD_TSN = 0, 1, 2, 3, 6, 7, 130, 192

_KNOWN = frozenset({*range(12), 14, RECONFIG, FORWARD_TSN})
_WITH_PARAMETERS = {4: 0, 5: 0, ABORT: 0, 9: 0, RECONFIG: 0, INIT: 16, INIT_ACK: 16}
"""Chunk types that carry parameters or causes, and the offset of the first in the chunk's body."""
_RECONFIG_SIZES = {13: 12, 16: 8, 17: 8}
"""Least size of the re-configuration parameters that are acted on (RFC 6525 section 4)."""
_OUTGOING_RESET = 13

_header = Struct("!BBH")
_SACK_SIZE = 12
_parameter = Struct("!HH")


def read_chunks(packet: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (type, flags, body) of each chunk, up to a broken length or an unknown type that says stop."""
    at, size = 12, len(packet)
    while at + 4 <= size:
        kind, flags, length = _header.unpack_from(packet, at)
        if length < 4 or at + length > size:
            return
        if kind in _KNOWN:
            yield kind, flags, packet[at + 4 : at + length]
        elif kind < 0x80:
            return
        at += length + (-length & 3)


def is_well_formed(kind: int, body: bytes) -> bool:
    """Whether lengths and counts inside a chunk's body agree with its size. (DATA is for its reader to
    check.)"""
    if kind in _WITH_PARAMETERS:
        return _are_parameters(kind, body, _WITH_PARAMETERS[kind])
    if kind == SACK:
        if len(body) < _SACK_SIZE:
            return False
        gaps, duplicates = int.from_bytes(body[8:10], "big"), int.from_bytes(body[10:12], "big")
        return len(body) == _SACK_SIZE + 4 * (gaps + duplicates)
    if kind == FORWARD_TSN:
        return len(body) >= 4 and len(body) % 4 == 0
    return kind != SHUTDOWN or len(body) == 4


def are_ascending(gaps: Iterable[tuple[int, int]], outstanding: int) -> bool:
    """Whether the gap blocks of a SACK follow one another, within the number of chunks outstanding."""
    last = 0
    for start, end in gaps:
        if not last < start <= end <= outstanding:
            return False
        last = end
    return True


def _are_parameters(kind: int, body: bytes, at: int) -> bool:
    """Walk parameters to the end; one that claims less than its own header would never be passed."""
    if len(body) < at:
        return False
    while at + 4 <= len(body):
        name, length = _parameter.unpack_from(body, at)
        if length < 4 or at + length > len(body):
            return False
        if kind == RECONFIG and not _is_reconfig(name, length - 4):
            return False
        at += length + (-length & 3)
    return True


def _is_reconfig(name: int, size: int) -> bool:
    return size >= _RECONFIG_SIZES.get(name, 0) and (name != _OUTGOING_RESET or size % 2 == 0)
