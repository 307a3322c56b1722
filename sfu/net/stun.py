"""STUN binding requests and responses (RFC 8489), as ICE uses them (RFC 8445): parse, check, build.

Both ends are here: the server side that answers checks, and the client side that asks for its external
address or, in load tests, plays a controlling ICE agent. Every attribute is copied out once; nothing is
kept between messages.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from struct import Struct
from zlib import crc32

from sfu.net.errors import StunError

MAX_MESSAGE_SIZE = 1500
"""Bytes; a larger datagram can't be a STUN message that crossed the internet in one piece."""
MAX_ATTRIBUTES = 32
"""Attributes read from one message; browsers send at most twelve."""
MAX_USERNAME_SIZE = 513
"""Bytes (RFC 8489 section 14.3)."""

BINDING_REQUEST = 0x0001
BINDING_INDICATION = 0x0011
BINDING_SUCCESS = 0x0101
BINDING_ERROR = 0x0111

MAPPED_ADDRESS = 0x0001
USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
UNKNOWN_ATTRIBUTES = 0x000A
XOR_MAPPED_ADDRESS = 0x0020
PRIORITY = 0x0024
USE_CANDIDATE = 0x0025
FINGERPRINT = 0x8028
ICE_CONTROLLED = 0x8029
ICE_CONTROLLING = 0x802A

UNKNOWN_ATTRIBUTE = 420
ROLE_CONFLICT = 487

_REASONS = {UNKNOWN_ATTRIBUTE: b"Unknown Attribute", ROLE_CONFLICT: b"Role Conflict"}

# Comprehension-required attributes we understand: REALM, NONCE and the SHA-256 integrity beside those above.
_UNDERSTOOD = frozenset(
    {
        MAPPED_ADDRESS,
        USERNAME,
        MESSAGE_INTEGRITY,
        ERROR_CODE,
        UNKNOWN_ATTRIBUTES,
        0x0014,
        0x0015,
        0x001C,
        XOR_MAPPED_ADDRESS,
        PRIORITY,
        USE_CANDIDATE,
    }
)
_FIXED_SIZES = {PRIORITY: 4, USE_CANDIDATE: 0, ICE_CONTROLLED: 8, ICE_CONTROLLING: 8}

_COOKIE = 0x2112A442
_COOKIE_BYTES = _COOKIE.to_bytes(4, "big")
_FINGERPRINT_XOR = 0x5354554E
_HEADER_SIZE = 20
_INTEGRITY_SIZE = 24
_FINGERPRINT_SIZE = 8

_header = Struct("!HHI12s")
_attribute = Struct("!HH")
_FINGERPRINT_HEAD = _attribute.pack(FINGERPRINT, 4)
_mapped_v4 = Struct("!HHBBHI")


@dataclass(slots=True)
class Message:
    """One parsed message. Its fingerprint, if it has one, was right; its integrity is for
    :meth:`signed_by`."""

    type: int
    """BINDING_REQUEST, BINDING_INDICATION, BINDING_SUCCESS, BINDING_ERROR, or the type of another method."""
    transaction_id: bytes
    attributes: Mapping[int, bytes]
    """First value of each attribute before the integrity; what follows it isn't protected, so it isn't
    here."""
    unknown: tuple[int, ...]
    """Comprehension-required attributes that we don't know (RFC 8489 section 6.3.1)."""
    data: bytes
    integrity_at: int
    """Offset of MESSAGE-INTEGRITY, 0 if there is none."""

    @property
    def username(self) -> str:
        return self.attributes.get(USERNAME, b"").decode("utf-8", "replace")

    @property
    def use_candidate(self) -> bool:
        return USE_CANDIDATE in self.attributes

    @property
    def priority(self) -> int:
        return int.from_bytes(self.attributes.get(PRIORITY, b""), "big")

    @property
    def error_code(self) -> int:
        """Class and number of ERROR-CODE as one decimal, 0 if absent."""
        value = self.attributes.get(ERROR_CODE, b"")
        return (value[2] & 7) * 100 + value[3] if len(value) >= 4 else 0

    @property
    def mapped_address(self) -> tuple[str, int] | None:
        """Host and port that the responder saw, from XOR-MAPPED-ADDRESS or else MAPPED-ADDRESS."""
        if (value := self.attributes.get(XOR_MAPPED_ADDRESS)) is not None:
            return _read_address(value, _COOKIE_BYTES + self.transaction_id)
        if (value := self.attributes.get(MAPPED_ADDRESS)) is not None:
            return _read_address(value, bytes(16))
        return None

    def signed_by(self, key: bytes) -> bool:
        """Whether MESSAGE-INTEGRITY is there and made with this key (RFC 8489 section 14.5)."""
        return bool(self.integrity_at) and _is_signed(self.data, self.integrity_at, key)

    def repeated_by(self, data: bytes, key: bytes) -> bool:
        """Whether a datagram says the same in another transaction, signed with this key, with a right fingerprint."""
        at, ours = self.integrity_at, self.data
        return (
            at > 0
            and len(data) == len(ours) == at + _INTEGRITY_SIZE + _FINGERPRINT_SIZE
            and data[:8] == ours[:8]
            and data[_HEADER_SIZE : at + 4] == ours[_HEADER_SIZE : at + 4]
            and data[-8:-4] == ours[-8:-4]
            and _fingerprint_of(data[:-8]) == data[-4:]
            and _is_signed(data, at, key)
        )


def parse(data: bytes) -> Message:
    """Read a whole datagram as one STUN message.

    Raises StunError for wrong lengths, a foreign cookie, attributes that overrun, a wrong or misplaced
    fingerprint, or attributes of a wrong size. Old RFC 3489 messages (no cookie) are refused.
    """
    size = len(data)
    if size < _HEADER_SIZE or size > MAX_MESSAGE_SIZE:
        raise StunError("size")
    kind, length, cookie, transaction_id = _header.unpack_from(data)
    if cookie != _COOKIE or kind > 0x3FFF:
        raise StunError("not STUN")
    if length != size - _HEADER_SIZE or length & 3:
        raise StunError("length")
    attributes, unknown, integrity_at = _read_attributes(data)
    return Message(kind, transaction_id, attributes, unknown, data, integrity_at)


def username_of(data: bytes) -> tuple[str, str] | None:
    """Return the two halves of USERNAME of a binding request, (ours, theirs), or None; checks nothing else.

    Cheap enough to sort datagrams by ufrag before anything is believed.
    """
    size = len(data)
    if (
        size < _HEADER_SIZE
        or size > MAX_MESSAGE_SIZE
        or data[:2] != b"\x00\x01"
        or data[4:8] != _COOKIE_BYTES
    ):
        return None
    at = _HEADER_SIZE
    for _ in range(MAX_ATTRIBUTES):
        if at + 4 > size:
            return None
        name, length = _attribute.unpack_from(data, at)
        if name == USERNAME:
            value = data[at + 4 : at + 4 + length]
            if length > MAX_USERNAME_SIZE or len(value) != length or not value.isascii():
                return None
            local, colon, remote = value.decode("ascii").partition(":")
            return (local, remote) if colon else None
        at += 4 + length + (-length & 3)
    return None


def is_stun(data: bytes) -> bool:
    """Tell STUN from DTLS and RTP by the first byte (RFC 7983) and the magic cookie."""
    return len(data) >= _HEADER_SIZE and data[0] < 4 and data[4:8] == _COOKIE_BYTES


def success_response(transaction_id: bytes, host: str, port: int, key: bytes = b"") -> bytes:
    """Answer a binding request with the address it came from; signed if a key is given."""
    return _finish(BINDING_SUCCESS, transaction_id, _xor_mapped(transaction_id, host, port), key)


def error_response(
    transaction_id: bytes, code: int, key: bytes = b"", unknown: tuple[int, ...] = ()
) -> bytes:
    """Refuse a binding request: UNKNOWN_ATTRIBUTE with the attributes concerned, or ROLE_CONFLICT."""
    body = _pack(ERROR_CODE, bytes((0, 0, code // 100, code % 100)) + _REASONS.get(code, b""))
    if unknown:
        body += _pack(UNKNOWN_ATTRIBUTES, b"".join(name.to_bytes(2, "big") for name in unknown))
    return _finish(BINDING_ERROR, transaction_id, body, key)


def binding_request(
    transaction_id: bytes,
    username: str = "",
    key: bytes = b"",
    priority: int = 0,
    controlling: int | None = None,
    controlled: int | None = None,
    use_candidate: bool = False,
) -> bytes:
    """Build a binding request: bare for address discovery, or an ICE check.

    ``username`` is ``theirs:ours``, ``key`` the password of the side asked; ``controlling`` and
    ``controlled`` are 64-bit tie-breakers.
    """
    body = b""
    if username:
        body += _pack(USERNAME, username.encode())
    if priority:
        body += _pack(PRIORITY, priority.to_bytes(4, "big"))
    if controlling is not None:
        body += _pack(ICE_CONTROLLING, controlling.to_bytes(8, "big"))
    if controlled is not None:
        body += _pack(ICE_CONTROLLED, controlled.to_bytes(8, "big"))
    if use_candidate:
        body += _pack(USE_CANDIDATE, b"")
    return _finish(BINDING_REQUEST, transaction_id, body, key)


def _read_attributes(data: bytes) -> tuple[dict[int, bytes], tuple[int, ...], int]:
    """Return the attributes, the comprehension-required ones we don't know, and the offset of the
    integrity."""
    attributes: dict[int, bytes] = {}
    unknown: list[int] = []
    integrity_at = count = 0
    at, size = _HEADER_SIZE, len(data)
    while at < size:
        name, length = _attribute.unpack_from(data, at)
        end = at + 4 + length
        count += 1
        if end > size or count > MAX_ATTRIBUTES:
            raise StunError("attributes overrun")
        if name == FINGERPRINT:
            _check_fingerprint(data, at)
        elif integrity_at:
            pass
        elif name == MESSAGE_INTEGRITY:
            if length != _INTEGRITY_SIZE - 4:
                raise StunError("integrity size")
            integrity_at = at
        elif _FIXED_SIZES.get(name, length) != length:
            raise StunError("attribute size")
        else:
            if name < 0x8000 and name not in _UNDERSTOOD:
                unknown.append(name)
            attributes.setdefault(name, data[at + 4 : end])
        at = end + (-length & 3)
    return attributes, tuple(unknown), integrity_at


def _check_fingerprint(data: bytes, at: int) -> None:
    if at + _FINGERPRINT_SIZE != len(data) or data[at + 2 : at + 4] != b"\x00\x04":
        raise StunError("fingerprint isn't last")
    if data[at + 4 :] != _fingerprint_of(data[:at]):
        raise StunError("fingerprint is wrong")


def _fingerprint_of(data: bytes) -> bytes:
    return (crc32(data) ^ _FINGERPRINT_XOR).to_bytes(4, "big")


def _is_signed(data: bytes, at: int, key: bytes) -> bool:
    """Whether the integrity at ``at`` is made with this key."""
    length = (at + _INTEGRITY_SIZE - _HEADER_SIZE).to_bytes(2, "big")
    covered = b"".join((data[:2], length, data[4:at]))
    return hmac.compare_digest(hmac.digest(key, covered, "sha1"), data[at + 4 : at + _INTEGRITY_SIZE])


def _pack(name: int, value: bytes) -> bytes:
    return _attribute.pack(name, len(value)) + value + bytes(-len(value) & 3)


def _finish(kind: int, transaction_id: bytes, body: bytes, key: bytes) -> bytes:
    """Put a header before the attributes, integrity (if there is a key) and fingerprint behind them."""
    if key:
        length = len(body) + _INTEGRITY_SIZE
        message = _header.pack(kind, length, _COOKIE, transaction_id) + body
        body += b"\x00\x08\x00\x14" + hmac.digest(key, message, "sha1")
    message = _header.pack(kind, len(body) + _FINGERPRINT_SIZE, _COOKIE, transaction_id) + body
    return message + _FINGERPRINT_HEAD + _fingerprint_of(message)


@lru_cache(maxsize=1024)
def _packed(host: str) -> bytes:
    """4 or 16 bytes of an address; an IPv4 address that a dual-stack socket reported as IPv6 is IPv4
    again."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.packed


def _xor_mapped(transaction_id: bytes, host: str, port: int) -> bytes:
    packed = _packed(host)
    port ^= _COOKIE >> 16
    if len(packed) == 4:
        return _mapped_v4.pack(XOR_MAPPED_ADDRESS, 8, 0, 1, port, int.from_bytes(packed, "big") ^ _COOKIE)
    mask = int.from_bytes(_COOKIE_BYTES + transaction_id, "big")
    value = (int.from_bytes(packed, "big") ^ mask).to_bytes(16, "big")
    return _attribute.pack(XOR_MAPPED_ADDRESS, 20) + b"\x00\x02" + port.to_bytes(2, "big") + value


def _read_address(value: bytes, mask: bytes) -> tuple[str, int] | None:
    if len(value) not in (8, 20) or value[1] != (1 if len(value) == 8 else 2):
        return None
    port = int.from_bytes(value[2:4], "big") ^ int.from_bytes(mask[:2], "big")
    host = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    return str(ip_address(host)), port
