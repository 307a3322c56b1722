"""DTLS of one transport: certificate, handshake, SRTP keys, and the encrypted channel under SCTP (RFC 8827).

The only user of aiortc's DTLS. Records come in through :meth:`DtlsTransport.feed`, and only from addresses
that ICE has validated. The handshake is a coroutine; afterwards records are handled where they arrive,
without any task switch. Timers read the real clock, because OpenSSL's do.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
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

from sfu.net.errors import DtlsError
from sfu.net.srtp import PROFILES, SrtpKeys, SrtpProfile

Role = Literal["server", "client"]

MTU = 1200
"""Bytes of DTLS that go into one datagram. Left alone, OpenSSL cuts handshakes into 256-byte fragments
whose edges move when they are sent again, which older pion clients can't put together."""
MAX_DATAGRAM_SIZE = 16_384
MAX_QUEUED_DATAGRAMS = 32
"""Datagrams that wait for the handshake's coroutine; a flight is three or four."""
MAX_HANDSHAKE_DATAGRAMS = 500
"""Datagrams a handshake may take before it is given up; at 50 % loss fewer than 100 arrive."""
HANDSHAKE_TIMEOUT_S = 30.0

_RESEND_AFTER_S = 0.1
_RESEND_AT_MOST_S = 0.4
"""A flight is sent again after 100 ms, 200 ms, then every 400 ms; OpenSSL's own timer waits for a second."""
_LAST_FLIGHT_RESENDS = 20
"""How often a server sends its last flight again to a client that still shakes hands."""

_MAX_FLIGHT_SIZE = 1 << 14
_RECORD_HEADER_SIZE = 13
_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA = 20, 21, 22, 23
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


class DtlsTransport:
    """One DTLS association. ``send`` gets whole datagrams, ``on_data`` decrypted application data (SCTP
    packets).

    ``on_closed`` is called once when the peer ends an established association.
    """

    def __init__(
        self,
        certificate: Certificate,
        role: Role,
        send: Callable[[bytes], None],
        on_data: Callable[[bytes], None],
        profiles: Sequence[SrtpProfile] = PROFILES,
        on_closed: Callable[[], None] | None = None,
    ) -> None:
        self.rejected = 0
        """Datagrams and records that were refused."""
        self._send = send
        self._on_data = on_data
        self._on_closed = on_closed
        self._peer = _Handshake(certificate, role, send, profiles)
        self._open = False

    @property
    def state(self) -> str:
        """One of ``new``, ``connecting``, ``connected``, ``closed`` and ``failed``."""
        return "closed" if self._peer.ended else str(self._peer.state)

    async def handshake(
        self, remote_fingerprints: Sequence[tuple[str, str]], timeout_s: float = HANDSHAKE_TIMEOUT_S
    ) -> SrtpKeys:
        """Shake hands, verify the peer's certificate, and return the SRTP keys; call it once.

        ``remote_fingerprints`` are the (algorithm, value) pairs of the peer's SDP: at least one must be of
        a known algorithm (SHA-256, -384, -512), and all of those must match. Raises DtlsError for anything
        else than success. Nothing is given to ``on_data`` before it returns.
        """
        fingerprints = [
            RTCDtlsFingerprint(algorithm.strip().lower(), value.strip().upper())
            for algorithm, value in remote_fingerprints
        ]
        if not any(one.algorithm in X509_DIGEST_ALGORITHMS for one in fingerprints):
            raise DtlsError("no fingerprint of a known algorithm")
        if self.state != "new":
            raise DtlsError(f"handshake in state {self.state}")
        try:
            async with asyncio.timeout(timeout_s):
                await self._peer.start(RTCDtlsParameters(fingerprints))
        except TimeoutError:
            self._peer.fail("timed out")
        except asyncio.CancelledError:
            self._peer.end()
            raise
        if self._peer.keys is None or self.state != "connected":
            raise DtlsError(self._peer.reason)
        self._open = True
        # The peer's first data may have come along with the last of its handshake.
        asyncio.get_running_loop().call_soon(self._drain)
        return self._peer.keys

    def feed(self, datagram: bytes) -> None:
        """Take one datagram from a validated address."""
        if not 0 < len(datagram) <= MAX_DATAGRAM_SIZE:
            self.rejected += 1
        elif self._open:
            if datagram[0] == _HANDSHAKE:
                self._peer.send_last_flight()
            self._peer.ssl.bio_write(datagram)
            self._drain()
        elif not self._peer.enqueue(datagram):
            self.rejected += 1

    def send_data(self, data: bytes) -> None:
        """Encrypt and send one SCTP packet; dropped unless connected."""
        if not self._open:
            return
        try:
            self._peer.ssl.send(data)
        except SSL.Error:
            self.rejected += 1
            return
        self._peer.flush()

    def close(self) -> None:
        """Tell the peer (if there is one) and stop; a handshake under way ends with DtlsError."""
        if self._open:
            with suppress(SSL.Error):
                self._peer.ssl.shutdown()
            self._peer.flush()
        self._open = False
        self._peer.end()

    def _drain(self) -> None:
        """Hand over every record OpenSSL has, then send what it wants to send."""
        ssl = self._peer.ssl
        for datagram in self._peer.take_inbox():
            ssl.bio_write(datagram)
        while self._open:
            try:
                data = ssl.recv(MAX_DATAGRAM_SIZE)
            except SSL.WantReadError:
                break
            except SSL.Error:
                if ssl.get_shutdown() & SSL.RECEIVED_SHUTDOWN:
                    self.close()
                    if self._on_closed is not None:
                        self._on_closed()
                    return
                self.rejected += 1
                break
            self._on_data(data)
        self._peer.flush()


class _Wire:
    """What aiortc asks of an ICE transport; it never gets to read from ours."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self.role = "controlled"
        self._deliver = send

    async def _send(self, data: bytes) -> None:
        self._deliver(data)


class _Handshake(RTCDtlsTransport):  # type: ignore[misc]
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
        self._resends_left = _LAST_FLIGHT_RESENDS
        self.keys: SrtpKeys | None = None
        self.reason = "refused"
        self.ended = False

    @property
    def ssl(self) -> Any:
        return self._ssl

    def enqueue(self, datagram: bytes) -> bool:
        """Keep a datagram for the handshake; False when there are too many, or no handshake to come."""
        if self.ended or self._state is State.FAILED or len(self._inbox) >= MAX_QUEUED_DATAGRAMS:
            return False
        self._inbox.append(datagram)
        self._arrived.set()
        return True

    def take_inbox(self) -> list[bytes]:
        """Return what came before the handshake was over and after its coroutine last looked."""
        datagrams = list(self._inbox)
        self._inbox.clear()
        return datagrams

    def fail(self, reason: str) -> None:
        self.reason = reason
        self._set_state(State.FAILED)

    def end(self) -> None:
        """Wake whatever waits for records; it finds that there will be none."""
        if not self.ended:
            self.ended = True
            self.reason = "closed"
        self._inbox.clear()
        self._arrived.set()

    def flush(self) -> list[bytes]:
        """Send what OpenSSL has written, whole records per datagram, and return the datagrams."""
        try:
            written = self._ssl.bio_read(_MAX_FLIGHT_SIZE)
        except SSL.Error:
            return []
        datagrams = list(_datagrams(written))
        for datagram in datagrams:
            self._deliver(datagram)
        return datagrams

    async def _write_ssl(self) -> None:
        if flight := self.flush():
            self._flight = flight
            self._resend_after_s = _RESEND_AFTER_S

    async def _do_handshake(self) -> None:
        self._ssl.set_ciphertext_mtu(MTU)
        await super()._do_handshake()
        self._flight = self.flush() or self._flight

    async def _recv_next(self) -> None:
        """Take one datagram of the handshake, or let a timer fire; once that is over, wait for the end."""
        while self.encrypted and not self.ended:
            self._arrived.clear()
            await self._arrived.wait()
        if not self._inbox and not self.ended:
            await self._wait()
        if self.ended:
            raise ConnectionError(self.reason)
        if not self._inbox:
            return
        self._taken += 1
        if self._taken > MAX_HANDSHAKE_DATAGRAMS:
            self.reason = "too many datagrams"
            raise ConnectionError(self.reason)
        if datagram := _plausible(self._inbox.popleft()):
            self._ssl.bio_write(datagram)

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
            self._flight = self.flush() or self._flight
            return
        for datagram in self._flight:
            self._deliver(datagram)

    def send_last_flight(self) -> None:
        """Send the end of the handshake again to a client that repeats its own.

        OpenSSL answers only repetitions with new record numbers, so not those of an OpenSSL that was made
        to hurry.
        """
        if self._role == "server" and self._resends_left:
            self._resends_left -= 1
            for datagram in self._flight:
                self._deliver(datagram)

    def _validate_peer_identity(self, remoteParameters: Any) -> None:  # noqa: N803
        super()._validate_peer_identity(remoteParameters)
        if self._state is State.FAILED:
            self.reason = "fingerprint mismatch"

    def _setup_srtp(self) -> None:
        selected = self._ssl.get_selected_srtp_profile()
        profile = next((one for one in self._wanted if f"SRTP_{one.name}".encode() == selected), None)
        if profile is None:
            self.fail("no common SRTP profile")
            return
        key, salt = profile.key_size, profile.salt_size
        material: bytes = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        rx, tx = (client, server) if self._role == "server" else (server, client)
        self.keys = SrtpKeys(profile, rx, tx)


def _records(data: bytes) -> Iterator[bytes]:
    """Cut a byte string into DTLS records (RFC 6347 section 4.1); a broken tail comes as it is."""
    at = 0
    while at < len(data):
        end = at + _RECORD_HEADER_SIZE + int.from_bytes(data[at + 11 : at + 13], "big")
        yield data[at:end]
        at = end


def _datagrams(written: bytes) -> Iterator[bytes]:
    """Pack whole records into datagrams of up to MTU bytes."""
    datagram = b""
    for record in _records(written):
        if datagram and len(datagram) + len(record) > MTU:
            yield datagram
            datagram = b""
        datagram += record
    if datagram:
        yield datagram


def _plausible(datagram: bytes) -> bytes:
    """Keep the records a handshake may need.

    Until it ends, whoever can forge the peer's address can inject unencrypted records. Alerts, which would
    end the handshake, and far record numbers, which would make OpenSSL refuse the true ones, are the
    cheapest of those.
    """
    return b"".join(record for record in _records(datagram) if _is_plausible(record))


def _is_plausible(record: bytes) -> bool:
    if len(record) <= _RECORD_HEADER_SIZE or record[1] != 0xFE:
        return False
    epoch, kind = int.from_bytes(record[3:5], "big"), record[0]
    if epoch == 0:
        return kind in (_CHANGE_CIPHER_SPEC, _HANDSHAKE) and record[5:11] < _MAX_PLAIN_SEQUENCE
    return epoch == 1 and kind in (_ALERT, _HANDSHAKE, _APPLICATION_DATA)
