"""The record layer of an established DTLS 1.2 association (RFC 6347 section 4.1), once OpenSSL has shaken hands.

Takes over where OpenSSL stops: with the session's secrets, and with the last record it wrote, whose sequence
number and nonce are continued. It knows the AEAD suites that :data:`SUITES` lists, epoch 1, and no handshake.
No I/O: records go in and come out as bytes.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Literal, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
CLOSE_NOTIFY = b"\x01\x00"
"""A whole alert: level warning, description close_notify (RFC 5246 section 7.2)."""

HEADER_SIZE = 13
MAX_CONTENT_SIZE = 1 << 14
"""Bytes of one record before encryption (RFC 6347 section 4.1.1)."""
REPLAY_WINDOW = 64
"""Records (RFC 6347 section 4.1.2.6)."""

_VERSION = 0xFEFD
_FIRST_NUMBER = 1 << 48
"""Epoch 1, sequence number 0: the epoch and the 48-bit sequence number are one number here."""
_HEADER = Struct("!BHQH")
_AAD = Struct("!QBHH")
_EXPLICIT_NONCE_SIZE = 8
_TAG_SIZE = 16


@dataclass(frozen=True, slots=True)
class Suite:
    """An AEAD cipher suite: RFC 5288 and 5289 (GCM, part of the nonce in each record), or RFC 7905 (ChaCha20)."""

    aead: type[AESGCM] | type[ChaCha20Poly1305]
    key_size: int
    iv_size: int
    prf_hash: Literal["sha256", "sha384"]

    @property
    def explicit_nonce_size(self) -> int:
        """Bytes of the nonce that each record carries."""
        return _EXPLICIT_NONCE_SIZE if self.aead is AESGCM else 0


SUITES = {
    "ECDHE-ECDSA-AES128-GCM-SHA256": Suite(AESGCM, 16, 4, "sha256"),
    "ECDHE-ECDSA-AES256-GCM-SHA384": Suite(AESGCM, 32, 4, "sha384"),
    "ECDHE-ECDSA-CHACHA20-POLY1305": Suite(ChaCha20Poly1305, 32, 12, "sha256"),
}
"""By OpenSSL's names."""


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """What the two ends of a TLS 1.2 session share, and the randoms of their hellos."""

    master: bytes
    client_random: bytes
    server_random: bytes

    def key_block(self, suite: Suite) -> bytes:
        """Return both write keys, then both IVs, the client's first (RFC 5246 section 6.3; AEADs have no MAC
        keys)."""
        seed = b"key expansion" + self.server_random + self.client_random
        return prf(self.master, seed, 2 * (suite.key_size + suite.iv_size), suite.prf_hash)


def prf(secret: bytes, seed: bytes, size: int, digest: str) -> bytes:
    """P_hash of RFC 5246 section 5; ``seed`` is the label and the seed."""
    block, out = seed, b""
    while len(out) < size:
        block = hmac.digest(secret, block, digest)
        out += hmac.digest(secret, block + seed, digest)
    return out[:size]


class Record(NamedTuple):
    """The type of a record that was authenticated, and its content."""

    kind: int
    content: bytes


class RecordLayer:
    """Both directions of one association.

    Keeps keys, not cipher objects: those cost 2.5 kB each with AES-GCM, and 2 µs to make.
    """

    __slots__ = ("_nonce_offset", "_number", "_read", "_seen", "_suite", "_top", "_write", "rejected")

    def __init__(
        self, suite: Suite, role: Literal["server", "client"], secrets: Secrets, last_written: bytes
    ) -> None:
        """Continue after ``last_written``, this side's record of epoch 1 with the highest number."""
        keys, size = secrets.key_block(suite), suite.key_size
        ivs = keys[2 * size :]
        client = keys[:size], ivs[: suite.iv_size]
        server = keys[size : 2 * size], ivs[suite.iv_size :]
        self._suite = suite
        self._read, self._write = (client, server) if role == "server" else (server, client)
        _, _, self._number, _ = _HEADER.unpack_from(last_written)
        explicit = last_written[HEADER_SIZE : HEADER_SIZE + _EXPLICIT_NONCE_SIZE]
        # OpenSSL counts explicit nonces from a random start: to go on counting is to never repeat one.
        self._nonce_offset = int.from_bytes(explicit, "big") - self._number
        self._top = _FIRST_NUMBER
        self._seen = 0
        self.rejected = 0
        """Records that were refused, or what of a datagram was none."""

    def protect(self, kind: int, content: bytes) -> bytes:
        """Return the next record; ``content`` has up to MAX_CONTENT_SIZE bytes."""
        self._number += 1
        assert self._number < 2 * _FIRST_NUMBER, "no sequence numbers left"
        assert len(content) <= MAX_CONTENT_SIZE
        key, iv = self._write
        explicit = b""
        if self._suite.explicit_nonce_size:
            explicit = ((self._nonce_offset + self._number) % (1 << 64)).to_bytes(8, "big")
        aad = _AAD.pack(self._number, kind, _VERSION, len(content))
        sealed = self._suite.aead(key).encrypt(_nonce(iv, explicit, self._number), content, aad)
        return _HEADER.pack(kind, _VERSION, self._number, len(explicit) + len(sealed)) + explicit + sealed

    def receive(self, datagram: bytes) -> Iterator[Record]:
        """Give what of a datagram is authentic and new, in its order; the rest is counted in ``rejected``.

        Records of the handshake are authenticated, but not checked for replay: a peer that sends its last
        flight again may repeat the very bytes.
        """
        for record in split(datagram):
            opened = self._open(record)
            if opened is None:
                self.rejected += 1
            else:
                yield opened

    def _open(self, record: bytes) -> Record | None:
        explicit_size = self._suite.explicit_nonce_size
        content_size = len(record) - HEADER_SIZE - explicit_size - _TAG_SIZE
        if not 0 <= content_size <= MAX_CONTENT_SIZE:
            return None
        kind, version, number, length = _HEADER.unpack_from(record)
        if version != _VERSION or number >> 48 != 1 or length != len(record) - HEADER_SIZE:
            return None
        if kind not in (ALERT, HANDSHAKE, APPLICATION_DATA) or (
            kind != HANDSHAKE and not self._is_new(number)
        ):
            return None
        key, iv = self._read
        body = HEADER_SIZE + explicit_size
        nonce = _nonce(iv, record[HEADER_SIZE:body], number)
        try:
            content = self._suite.aead(key).decrypt(
                nonce, record[body:], _AAD.pack(number, kind, version, content_size)
            )
        except InvalidTag:
            return None
        if kind != HANDSHAKE:
            self._mark(number)
        return Record(kind, content)

    def _is_new(self, number: int) -> bool:
        age = self._top - number
        return age < 0 or (age < REPLAY_WINDOW and not self._seen >> age & 1)

    def _mark(self, number: int) -> None:
        """Bit *n* of the window stands for the record *n* before the highest one."""
        if number > self._top:
            # Beyond the window nothing of it is left, and a shift by a peer's number may be huge.
            ahead = min(number - self._top, REPLAY_WINDOW)
            self._seen = (self._seen << ahead) % (1 << REPLAY_WINDOW)
            self._top = number
        self._seen |= 1 << (self._top - number)


def split(data: bytes) -> Iterator[bytes]:
    """Cut a byte string into records by the lengths in their headers; a broken tail comes as it is."""
    at = 0
    while at < len(data):
        end = at + HEADER_SIZE + int.from_bytes(data[at + 11 : at + HEADER_SIZE], "big")
        yield data[at:end]
        at = end


def epoch_of(record: bytes) -> int:
    """Return the epoch of a record that has a whole header."""
    return int.from_bytes(record[3:5], "big")


def _nonce(iv: bytes, explicit: bytes, number: int) -> bytes:
    if explicit:
        return iv + explicit
    return (int.from_bytes(iv, "big") ^ number).to_bytes(len(iv), "big")
