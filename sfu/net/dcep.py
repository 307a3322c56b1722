"""The Data Channel Establishment Protocol (RFC 8832): the messages that open a channel over an SCTP
stream."""

from dataclasses import dataclass
from struct import Struct

from sfu.net.errors import NetError

PROTOCOL_ID = 50
"""Payload protocol id of these messages."""
MAX_LABEL_SIZE = 256
"""Bytes of a label in UTF-8; LiveKit's are under twenty."""
MAX_PROTOCOL_SIZE = 256

ACK = b"\x02"

_OPEN = 3
_UNORDERED = 0x80
_REXMIT = 1
_TIMED = 2
_open = Struct("!BBHLHH")


class DcepError(NetError):
    """A message that opens nothing we accept."""


@dataclass(frozen=True, slots=True)
class ChannelOpen:
    """A DATA_CHANNEL_OPEN message; at most one of the two limits is set."""

    label: str
    ordered: bool = True
    max_retransmits: int | None = None
    max_lifetime_ms: int | None = None
    protocol: str = ""

    def __bytes__(self) -> bytes:
        kind, limit = 0, 0
        if self.max_retransmits is not None:
            kind, limit = _REXMIT, self.max_retransmits
        elif self.max_lifetime_ms is not None:
            kind, limit = _TIMED, self.max_lifetime_ms
        if not self.ordered:
            kind |= _UNORDERED
        label, protocol = self.label.encode(), self.protocol.encode()
        return _open.pack(_OPEN, kind, 0, limit, len(label), len(protocol)) + label + protocol


def parse_open(data: bytes) -> ChannelOpen:
    """Read a DATA_CHANNEL_OPEN. Raises DcepError if it is cut, oversized, of another type, or not UTF-8."""
    if len(data) < _open.size:
        raise DcepError("size")
    message, kind, _, limit, label_size, protocol_size = _open.unpack_from(data)
    if message != _OPEN:
        raise DcepError("message type")
    if label_size > MAX_LABEL_SIZE or protocol_size > MAX_PROTOCOL_SIZE:
        raise DcepError("label size")
    label_end = _open.size + label_size
    if label_end + protocol_size > len(data):
        raise DcepError("label overrun")
    if kind & ~_UNORDERED not in (0, _REXMIT, _TIMED):
        raise DcepError("channel type")
    try:
        label = data[_open.size : label_end].decode()
        protocol = data[label_end : label_end + protocol_size].decode()
    except UnicodeDecodeError as error:
        raise DcepError("not UTF-8") from error
    reliability = kind & ~_UNORDERED
    return ChannelOpen(
        label,
        ordered=not kind & _UNORDERED,
        max_retransmits=limit if reliability == _REXMIT else None,
        max_lifetime_ms=limit if reliability == _TIMED else None,
        protocol=protocol,
    )
