"""One client's way to the server: its UDP sockets, ICE, DTLS and SRTP."""

import asyncio
import errno
import os
import secrets
import socket
import time
from collections.abc import Callable
from typing import Any

from hubbub.load.errors import JoinError
from hubbub.load.ice import Address, IceClient
from hubbub.load.sdp import Credentials
from sfu.net.dtls import Certificate, DtlsTransport, Role
from sfu.net.errors import DtlsError
from sfu.net.mmsg import enable_timestamps
from sfu.net.sctp import SctpAssociation
from sfu.net.srtp import OK, RTP_OVERHEAD, SrtpPair, ffi, protect, unprotect
from sfu.rtp.header import PacketClass, demux
from sfu.sdp.description import Description

CONNECT_TIMEOUT_S = 15.0
"""For ICE and DTLS together; LiveKit gives a client up after the same time."""
RECEIVE_BUFFER = 4 << 20
"""Bytes; a keyframe of every publisher may come at once."""
MAX_PACKET = 1500

_RECEIVE_BUFFER_FORCE = 33
"""SO_RCVBUFFORCE: root may go beyond the system's limit."""


class _Deaf:
    """Listens to no data."""

    def channel_opened(self, label: str) -> None:
        """Nothing waits for it."""

    def message(self, label: str, payload: bytes, binary: bool) -> None:
        """Data packets are not counted."""


class Transport:
    """Connects once, then sends; receiving goes over to the inbox after the handshake."""

    def __init__(self, certificate: Certificate, on_rtcp: Callable[[bytes], None]) -> None:
        self.ufrag = secrets.token_hex(4)
        self.pwd = secrets.token_hex(12)
        self.credentials = Credentials(self.ufrag, self.pwd, certificate.fingerprint)
        self.ice = IceClient(self.ufrag, self.pwd, secrets.randbits(64), lambda: secrets.token_bytes(12))
        self.closed_by_peer = False
        self.sent = 0
        """RTP packets."""
        self.sent_octets = 0
        """Bytes of UDP payload in them."""
        self.refused = 0
        """Packets that the socket didn't take."""
        self.verified = 0
        self.forged = 0
        """Packets of the sample that didn't authenticate."""
        self._certificate = certificate
        self._on_rtcp = on_rtcp
        self._sockets: dict[socket.AddressFamily, socket.socket] = {}
        self._socket: socket.socket | None = None
        self._progress = asyncio.Event()
        self._dtls: DtlsTransport | None = None
        self._srtp: SrtpPair | None = None
        self._sctp: SctpAssociation | None = None
        self._buffer = bytearray(MAX_PACKET + RTP_OVERHEAD)
        self._view = memoryview(self._buffer)
        self._pointer = ffi.from_buffer(self._buffer)
        self._length = ffi.new("int *")

    @property
    def fd(self) -> int:
        return self._socket.fileno() if self._socket is not None else -1

    @property
    def inode(self) -> int | None:
        """Of the connected socket, as the kernel's tables have it."""
        return os.fstat(self.fd).st_ino if self._socket is not None else None

    @property
    def connected(self) -> bool:
        return self._srtp is not None

    async def connect(self, answer: Description) -> None:
        """Find a path, shake hands, derive keys. Raises JoinError."""
        role: Role = "client" if answer.setup == "passive" else "server"
        self.ice.set_remote(answer.ice_ufrag, answer.ice_pwd)
        self._dtls = DtlsTransport(
            self._certificate, role, self._send, self._take_sctp, on_closed=self._ended
        )
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._find_path()
                keys = await self._dtls.handshake(answer.fingerprints)
        except TimeoutError:
            step = (
                "ICE found no path to the server over UDP" if self.ice.selected is None else "DTLS timed out"
            )
            raise JoinError(step) from None
        except DtlsError as error:
            raise JoinError(f"DTLS failed: {error}") from None
        self._srtp = SrtpPair(keys.profile, keys.rx_key, keys.tx_key)
        asyncio.get_running_loop().remove_reader(self.fd)
        if (data := answer.data) is not None:
            self._open_channels(self._dtls, role, data.max_message_size)

    def local_address(self) -> Address:
        assert self._socket is not None
        host, port, *_ = self._socket.getsockname()
        return host, port

    def nudge(self) -> None:
        """Candidates were added: check them now."""
        self._progress.set()

    def control(self, datagram: bytes, now: float) -> None:
        """Take STUN, DTLS or SRTCP from the connected socket."""
        assert self.ice.selected is not None
        self._handle(datagram, self.ice.selected, now)

    def check_consent(self, now: float) -> bool:
        """Send a consent check when due; False once the server has stopped answering."""
        for datagram, _ in self.ice.due(now):
            self._send(datagram)
        return not self.ice.expired(now) and not self.closed_by_peer

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send."""
        if self._srtp is None:
            return
        size = len(packet)
        self._buffer[:size] = packet
        self._length[0] = size
        if protect(self._srtp.tx_ptr, self._pointer, self._length) != OK:
            self.refused += 1
            return
        total = self._length[0]
        self._send(self._view[:total])
        self.sent += 1
        self.sent_octets += total

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send."""
        if self._srtp is not None:
            self._send(self._srtp.protect_rtcp(packet))

    def verify(self, pointer: Any, size: int) -> None:
        """Authenticate one packet in place."""
        if self._srtp is None:
            return
        self._length[0] = size
        good = unprotect(self._srtp.rx_ptr, pointer, self._length) == OK
        self.verified += 1
        self.forged += not good

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        if self._sctp is not None:
            self._sctp.close()
        if self._dtls is not None:
            self._dtls.close()
        if self._srtp is not None:
            self._srtp.close()
            self._srtp = None
        for sock in {*self._sockets.values(), *([self._socket] if self._socket else [])}:
            loop.remove_reader(sock.fileno())
            sock.close()
        self._sockets.clear()
        self._socket = None

    def _open_channels(self, dtls: DtlsTransport, role: Role, max_message_size: int) -> None:
        """Open the channels that every client has. A Pion server renegotiates nothing before SCTP is up."""
        self._sctp = SctpAssociation(dtls.send_data, role, _Deaf())
        self._sctp.start(max_message_size=max_message_size)
        self._sctp.open_channel("_reliable")
        self._sctp.open_channel("_lossy", ordered=False, max_retransmits=0)

    def _take_sctp(self, packet: bytes) -> None:
        if self._sctp is not None:
            self._sctp.feed(packet)

    async def _find_path(self) -> None:
        while self.ice.selected is None:
            for datagram, address in self.ice.due(time.monotonic()):
                self._send_to(datagram, address)
            self._progress.clear()
            try:
                async with asyncio.timeout(0.02):
                    await self._progress.wait()
            except TimeoutError:
                continue
        self._keep(self._family(self.ice.selected[0]))
        assert self._socket is not None
        self._socket.connect(self.ice.selected)

    def _keep(self, family: socket.AddressFamily) -> None:
        """Go on with the socket that ICE selected."""
        self._socket = self._sockets.pop(family)
        for other in self._sockets.values():
            asyncio.get_running_loop().remove_reader(other.fileno())
            other.close()
        self._sockets.clear()

    @staticmethod
    def _family(host: str) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in host else socket.AF_INET

    def _send_to(self, datagram: bytes, address: Address) -> None:
        family = self._family(address[0])
        try:
            if family not in self._sockets:
                self._sockets[family] = self._open(family)
            self._sockets[family].sendto(datagram, address)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise JoinError("too many open files: raise the limit with `ulimit -n`") from None
            self.refused += 1  # this candidate can't be reached from here

    def _open(self, family: socket.AddressFamily) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, RECEIVE_BUFFER)
        except OSError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        enable_timestamps(sock)
        asyncio.get_running_loop().add_reader(sock.fileno(), self._readable, sock)
        return sock

    def _readable(self, sock: socket.socket) -> None:
        """Read while there is no connection yet."""
        now = time.monotonic()
        for _ in range(64):
            try:
                datagram, source = sock.recvfrom(MAX_PACKET * 2)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error for an earlier check
            self._handle(datagram, (source[0], source[1]), now)

    def _handle(self, datagram: bytes, source: Address, now: float) -> None:
        if len(datagram) < 2:
            return
        match demux(datagram[0], datagram[1]):
            case PacketClass.STUN:
                answer = self.ice.receive(datagram, source, now)
                if answer is not None and self._socket is not None:
                    self._send(answer)
                elif answer is not None:
                    self._send_to(answer, source)
                self._progress.set()
            case PacketClass.DTLS if self._dtls is not None:
                self._dtls.feed(datagram)
            case PacketClass.RTCP if self._srtp is not None:
                if (plain := self._srtp.unprotect_rtcp(datagram)) is not None:
                    self._on_rtcp(plain)

    def _send(self, datagram: bytes | memoryview) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(datagram)
        except OSError:
            self.refused += 1

    def _ended(self) -> None:
        self.closed_by_peer = True
