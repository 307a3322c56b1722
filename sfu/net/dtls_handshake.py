"""The handshake of a DTLS association on OpenSSL: certificate, peer verification, SRTP keys (RFC 8827, RFC
5764).

The only user of aiortc's DTLS. It leaves behind what goes on with the session's keys, and nothing else.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Self

from aiortc.rtcdtlstransport import (
    SRTP_PROFILES,
    X509_DIGEST_ALGORITHMS,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    State,
)
from OpenSSL import SSL

from sfu.net.dtls_records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    CLOSE_NOTIFY,
    HANDSHAKE,
    HEADER_SIZE,
    MAX_CONTENT_SIZE,
    SUITES,
    Record,
    RecordLayer,
    Secrets,
    epoch_of,
    split,
)
from sfu.net.errors import DtlsError
from sfu.net.srtp import SrtpKeys, SrtpProfile

Role = Literal["server", "client"]

MTU = 1200
"""Bytes of DTLS that go into one datagram. Left alone, OpenSSL cuts handshakes into 256-byte fragments
whose edges move when they are sent again, which older pion clients can't put together."""
MAX_QUEUED_DATAGRAMS = 32
"""Datagrams that wait for the handshake's coroutine, and encrypted records that wait for its end; a flight is
three or four."""
MAX_HANDSHAKE_DATAGRAMS = 500
"""Datagrams a handshake may take before it is given up; at 50 % loss fewer than 100 arrive."""

_RESEND_AFTER_S = 0.1
_RESEND_AT_MOST_S = 0.4
"""A flight is sent again after 100 ms, 200 ms, then every 400 ms; OpenSSL's own timer waits for a second."""
_READ_SIZE = 2048
"""Bytes read from OpenSSL at a time: most flights are smaller, and each read allocates so many."""
_MAX_PLAIN_SEQUENCE = b"\x00\x00\x00\x01\x00\x00"
"""Record number that no unencrypted record reaches: one near 2^48 would make OpenSSL take all others for
old."""


class Certificate(RTCCertificate):  # type: ignore[misc]
    """A self-signed ECDSA P-256 certificate, with one SSL context for all its connections.

    A context of its own would cost each connection 88 kB and 0.3 ms. Sessions aren't cached: nobody resumes
    one.
    """

    def __init__(self, key: Any, cert: Any) -> None:
        super().__init__(key=key, cert=cert)
        self._contexts: dict[tuple[bytes, ...], SSL.Context] = {}
        self.fingerprint: str = next(
            one.value for one in self.getFingerprints() if one.algorithm == "sha-256"
        )
        """SHA-256 of the certificate as SDP writes it: upper-case pairs with colons."""

    @classmethod
    def generate(cls) -> Self:
        """Make a key and a certificate that is good for 30 days."""
        certificate: Self = cls.generateCertificate()
        return certificate

    def _create_ssl_context(self, srtp_profiles: Any) -> SSL.Context:
        offered = tuple(profile.openssl_profile for profile in srtp_profiles)
        if offered not in self._contexts:
            context = super()._create_ssl_context(srtp_profiles)
            context.set_options(SSL.OP_NO_RENEGOTIATION)
            context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
            context.set_mode(SSL.MODE_RELEASE_BUFFERS)
            self._contexts[offered] = context
        return self._contexts[offered]


class _Wire:
    """What aiortc asks of an ICE transport; it never gets to read from ours."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self.role = "controlled"
        self._deliver = send

    async def _send(self, data: bytes) -> None:
        self._deliver(data)


class Handshake(RTCDtlsTransport):  # type: ignore[misc]
    """aiortc's handshake, with our own way in and out, flights sent again early, and keys instead of
    sessions."""

    def __init__(
        self,
        certificate: Certificate,
        role: Role,
        send: Callable[[bytes], None],
        profiles: Sequence[SrtpProfile],
    ) -> None:
        super().__init__(_Wire(send), [certificate])
        self._ssl: Any = None
        self._set_role(role)
        by_name = {profile.openssl_profile: profile for profile in SRTP_PROFILES}
        self._srtp_profiles = [
            by_name[name] for name in (f"SRTP_{one.name}".encode() for one in profiles) if name in by_name
        ]
        self._wanted = profiles
        self._deliver = send
        self._inbox: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._taken = 0
        self._flight: list[bytes] = []
        self._resend_after_s = _RESEND_AFTER_S
        self._early: list[bytes] = []
        self._last_written = b""
        self.refused = 0
        self._keys: SrtpKeys | None = None
        self._reason = "refused"
        self.ended = False

    async def shake(self, fingerprints: Sequence[tuple[str, str]], timeout_s: float) -> SrtpKeys:
        """Shake hands with the peer whose certificate has these fingerprints, once. Raises DtlsError."""
        known = [
            RTCDtlsFingerprint(algorithm.strip().lower(), value.strip().upper())
            for algorithm, value in fingerprints
        ]
        if not any(one.algorithm in X509_DIGEST_ALGORITHMS for one in known):
            raise DtlsError("no fingerprint of a known algorithm")
        if self.ended or self._state is not State.NEW:
            raise DtlsError("not a new handshake")
        try:
            async with asyncio.timeout(timeout_s):
                await self.start(RTCDtlsParameters(known))
        except TimeoutError:
            self._fail("timed out")
        except asyncio.CancelledError:
            self.end()
            raise
        if self._keys is None or self.ended or self._state is not State.CONNECTED:
            raise DtlsError(self._reason)
        return self._keys

    @property
    def last_flight(self) -> list[bytes]:
        """What a client that missed it will ask for; a server asks for nothing."""
        return self._flight if self._role == "server" else []

    def enqueue(self, datagram: bytes) -> bool:
        """Keep a datagram for the handshake; False when there are too many, or no handshake to come."""
        if self.ended or self._state is State.FAILED or len(self._inbox) >= MAX_QUEUED_DATAGRAMS:
            return False
        self._inbox.append(datagram)
        self._arrived.set()
        return True

    @property
    def early(self) -> list[bytes]:
        """What came before the handshake was over and isn't of it, or came after its coroutine last looked."""
        return [*self._early, *self._inbox]

    def take_records(self) -> "RecordLayer | OpenSslRecords":
        """End this, let go of OpenSSL, and return what goes on with the keys."""
        ssl, self._ssl = self._ssl, None
        self.end()
        suite = SUITES.get(ssl.get_cipher_name())
        if suite is None or ssl.get_protocol_version_name() != "DTLSv1.2":
            return OpenSslRecords(ssl, self._deliver)
        secrets = Secrets(ssl.master_key(), ssl.client_random(), ssl.server_random())
        return RecordLayer(suite, self._role, secrets, self._last_written)

    def end(self) -> None:
        """Wake whatever waits for records; it finds that there will be none."""
        if not self.ended:
            self.ended = True
            self._reason = "closed"
        self._inbox.clear()
        self._arrived.set()

    def _fail(self, reason: str) -> None:
        self._reason = reason
        self._set_state(State.FAILED)

    def _flush(self) -> list[bytes]:
        """Send what OpenSSL has written, whole records per datagram, and return the datagrams."""
        written = _written(self._ssl)
        for record in split(written):
            if epoch_of(record) == 1:
                self._last_written = record
        datagrams = list(_datagrams(written))
        for datagram in datagrams:
            self._deliver(datagram)
        return datagrams

    async def _write_ssl(self) -> None:
        if flight := self._flush():
            self._flight = flight
            self._resend_after_s = _RESEND_AFTER_S

    async def _do_handshake(self) -> None:
        self._ssl.set_ciphertext_mtu(MTU)
        await super()._do_handshake()
        self._flight = self._flush() or self._flight

    async def _recv_next(self) -> None:
        """Take one datagram of the handshake, or let a timer fire; once that is over, wait for the end."""
        while self.encrypted and not self.ended:
            self._arrived.clear()
            await self._arrived.wait()
        if not self._inbox and not self.ended:
            await self._wait()
        if self.ended:
            raise ConnectionError(self._reason)
        if not self._inbox:
            return
        self._taken += 1
        if self._taken > MAX_HANDSHAKE_DATAGRAMS:
            self._reason = "too many datagrams"
            raise ConnectionError(self._reason)
        for record in split(self._inbox.popleft()):
            if _is_of_handshake(record):
                self._ssl.bio_write(record)
            elif _is_early(record) and len(self._early) < MAX_QUEUED_DATAGRAMS:
                self._early.append(record)
            else:
                self.refused += 1

    async def _wait(self) -> None:
        openssl_s = self._ssl.DTLSv1_get_timeout()
        wait_s = self._resend_after_s if openssl_s is None else min(openssl_s, self._resend_after_s)
        self._arrived.clear()
        try:
            async with asyncio.timeout(wait_s):
                await self._arrived.wait()
        except TimeoutError:
            self._send_again(openssl_s is not None and openssl_s <= wait_s)

    def _send_again(self, by_openssl: bool) -> None:
        self._resend_after_s = min(self._resend_after_s * 2, _RESEND_AT_MOST_S)
        if by_openssl:
            self._ssl.DTLSv1_handle_timeout()
            self._flight = self._flush() or self._flight
            return
        for datagram in self._flight:
            self._deliver(datagram)

    def _validate_peer_identity(self, remoteParameters: Any) -> None:  # noqa: N803
        super()._validate_peer_identity(remoteParameters)
        if self._state is State.FAILED:
            self._reason = "fingerprint mismatch"

    def _setup_srtp(self) -> None:
        selected = self._ssl.get_selected_srtp_profile()
        profile = next((one for one in self._wanted if f"SRTP_{one.name}".encode() == selected), None)
        if profile is None:
            self._fail("no common SRTP profile")
            return
        key, salt = profile.key_size, profile.salt_size
        material: bytes = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        rx, tx = (client, server) if self._role == "server" else (server, client)
        self._keys = SrtpKeys(profile, rx, tx)


class OpenSslRecords:
    """A :class:`RecordLayer` for suites and versions that ours doesn't know: OpenSSL stays.

    It answers repeated handshakes by itself, so it has a way out of its own.
    """

    def __init__(self, ssl: Any, send: Callable[[bytes], None]) -> None:
        self._ssl = ssl
        self._send = send
        self.rejected = 0

    def protect(self, kind: int, content: bytes) -> bytes:
        try:
            if kind == APPLICATION_DATA:
                self._ssl.send(content)
            else:
                self._ssl.shutdown()
        except SSL.Error:
            self.rejected += 1
        return _written(self._ssl)

    def receive(self, datagram: bytes) -> Iterator[Record]:
        self._ssl.bio_write(datagram)
        while True:
            try:
                yield Record(APPLICATION_DATA, self._ssl.recv(MAX_CONTENT_SIZE))
            except SSL.WantReadError:
                break
            except SSL.Error:
                if self._ssl.get_shutdown() & SSL.RECEIVED_SHUTDOWN:
                    yield Record(ALERT, CLOSE_NOTIFY)
                    return
                self.rejected += 1
                break
        for answer in _datagrams(_written(self._ssl)):
            self._send(answer)


def _written(ssl: Any) -> bytes:
    """Return all that OpenSSL wants to send."""
    pieces = []
    while True:
        try:
            pieces.append(ssl.bio_read(_READ_SIZE))
        except SSL.Error:
            return b"".join(pieces)


def _datagrams(written: bytes) -> Iterator[bytes]:
    """Pack whole records into datagrams of up to MTU bytes."""
    datagram = b""
    for record in split(written):
        if datagram and len(datagram) + len(record) > MTU:
            yield datagram
            datagram = b""
        datagram += record
    if datagram:
        yield datagram


def _is_of_handshake(record: bytes) -> bool:
    """Whether OpenSSL gets a record.

    Until the handshake ends, whoever can forge the peer's address can inject unencrypted records. Alerts, which
    would end it, and far record numbers, which would make OpenSSL refuse the true ones, are the cheapest of
    those.
    """
    if record[1:2] != b"\xfe" or not _is_whole(record):
        return False
    epoch, kind = epoch_of(record), record[0]
    if epoch == 0:
        return kind in (CHANGE_CIPHER_SPEC, HANDSHAKE) and record[5:11] < _MAX_PLAIN_SEQUENCE
    return epoch == 1 and kind == HANDSHAKE


def _is_early(record: bytes) -> bool:
    """Whether a record waits for the end of the handshake: OpenSSL never sees one that we may have to open."""
    return _is_whole(record) and epoch_of(record) == 1 and record[0] in (ALERT, APPLICATION_DATA)


def _is_whole(record: bytes) -> bool:
    return len(record) > HEADER_SIZE and int.from_bytes(record[11:13], "big") == len(record) - HEADER_SIZE
