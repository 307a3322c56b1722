"""One DTLS association: a handshake for SRTP keys, then the encrypted channel under SCTP (RFC 8827).

Records come in through :meth:`DtlsTransport.feed`, and only from addresses that ICE has validated. The handshake
is a coroutine on OpenSSL, whose timers read the real clock. Once it is over, OpenSSL's 70 kB are freed:
:mod:`sfu.net.dtls_records` goes on with its keys, where records arrive and without any task switch.
"""

import asyncio
from collections.abc import Callable, Sequence

from sfu.net.dtls_handshake import MAX_QUEUED_DATAGRAMS as MAX_QUEUED_DATAGRAMS
from sfu.net.dtls_handshake import MTU as MTU
from sfu.net.dtls_handshake import Certificate as Certificate
from sfu.net.dtls_handshake import Handshake, OpenSslRecords
from sfu.net.dtls_handshake import Role as Role
from sfu.net.dtls_records import ALERT, APPLICATION_DATA, CLOSE_NOTIFY, MAX_CONTENT_SIZE, RecordLayer
from sfu.net.errors import DtlsError
from sfu.net.srtp import PROFILES, SrtpKeys, SrtpProfile

MAX_DATAGRAM_SIZE = 16_384
HANDSHAKE_TIMEOUT_S = 30.0

_LAST_FLIGHT_RESENDS = 20
"""How often a server sends its last flight again to a client that still shakes hands."""
_FINISHED = b"\x14"
_FATAL = 2


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
        self._send = send
        self._on_data = on_data
        self._on_closed = on_closed
        self._peer: Handshake | None = Handshake(certificate, role, send, profiles)
        self._records: RecordLayer | OpenSslRecords | None = None
        self._last_flight: list[bytes] = []
        self._resends_left = _LAST_FLIGHT_RESENDS
        self._refused = 0
        self._open = False

    @property
    def state(self) -> str:
        """One of ``new``, ``connecting``, ``connected``, ``closed`` and ``failed``."""
        if self._peer is None:
            return "connected" if self._open else "closed"
        return "closed" if self._peer.ended else str(self._peer.state)

    @property
    def rejected(self) -> int:
        """Datagrams and records that were refused."""
        return self._refused + (self._records.rejected if self._records is not None else 0)

    async def handshake(
        self, remote_fingerprints: Sequence[tuple[str, str]], timeout_s: float = HANDSHAKE_TIMEOUT_S
    ) -> SrtpKeys:
        """Shake hands, verify the peer's certificate, and return the SRTP keys; call it once.

        ``remote_fingerprints`` are the (algorithm, value) pairs of the peer's SDP: at least one must be of
        a known algorithm (SHA-256, -384, -512), and all of those must match. Raises DtlsError for anything
        else than success. Nothing is given to ``on_data`` before it returns.
        """
        if self._peer is None:
            raise DtlsError("not a new handshake")
        keys = await self._peer.shake(remote_fingerprints, timeout_s)
        self._take_over(self._peer)
        return keys

    def feed(self, datagram: bytes) -> None:
        """Take one datagram from a validated address."""
        if not 0 < len(datagram) <= MAX_DATAGRAM_SIZE:
            self._refused += 1
        elif self._open:
            self._receive(datagram)
        elif self._peer is None or not self._peer.enqueue(datagram):
            self._refused += 1

    def send_data(self, data: bytes) -> None:
        """Encrypt and send one SCTP packet; dropped unless connected."""
        if not self._open:
            return
        if len(data) > MAX_CONTENT_SIZE:
            self._refused += 1
            return
        self._protect(APPLICATION_DATA, data)

    def close(self) -> None:
        """Tell the peer (if there is one) and stop; a handshake under way ends with DtlsError."""
        if self._open:
            self._open = False
            self._protect(ALERT, CLOSE_NOTIFY)
        if self._peer is not None:
            self._peer.end()

    def _take_over(self, peer: Handshake) -> None:
        """Let go of the handshake and go on with what it has negotiated."""
        self._refused += peer.refused
        self._last_flight = peer.last_flight
        # The peer's first data may have come along with the last of its handshake.
        early = peer.early
        self._records = peer.take_records()
        self._peer = None
        self._open = True
        if early:
            asyncio.get_running_loop().call_soon(self._receive_early, early)

    def _receive_early(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            self.feed(datagram)

    def _protect(self, kind: int, content: bytes) -> None:
        assert self._records is not None
        if record := self._records.protect(kind, content):
            self._send(record)

    def _receive(self, datagram: bytes) -> None:
        assert self._records is not None
        for kind, content in self._records.receive(datagram):
            if kind == APPLICATION_DATA:
                if content:
                    self._on_data(content)
            elif kind == ALERT:
                self._alerted(content)
            elif content.startswith(_FINISHED):
                self._send_last_flight()
            if not self._open:
                return

    def _alerted(self, alert: bytes) -> None:
        """Warnings other than the end change nothing (RFC 5246 section 7.2)."""
        if len(alert) != len(CLOSE_NOTIFY):
            self._refused += 1
        elif alert == CLOSE_NOTIFY or alert[0] == _FATAL:
            self.close()
            if self._on_closed is not None:
                self._on_closed()

    def _send_last_flight(self) -> None:
        """Send the end of the handshake again to a client that repeats its own: ours was lost."""
        if self._last_flight and self._resends_left:
            self._resends_left -= 1
            for datagram in self._last_flight:
                self._send(datagram)
