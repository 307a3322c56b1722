"""The table of peers: where each transport's packets go and under which key, by row."""

import socket
import struct
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sfu.compiled.intake import ADDRESS_BYTES
from sfu.net.arrays import Int64s, UInt8s, grown
from sfu.net.srtp import SrtpPair, location

if TYPE_CHECKING:
    from sfu.net.tcp import TcpPeer

_IPV4 = struct.Struct("!H4s")
_FAMILY = struct.Struct("=H")
_NOWHERE = (-1, 0, 0)


class TapPort(Protocol):
    """Takes what would else be encrypted and sent to a peer. Called in the midst of a tick: it may only take notes."""

    def rtp(self, packet: bytes) -> None: ...

    def rtcp(self, packet: bytes) -> None: ...


class PeerTable:
    """Rows are transports. A row without a port or TCP peer can't be sent to, and what is sent to it is dropped."""

    def __init__(self, capacity: int = 64) -> None:
        self.addresses: UInt8s = np.zeros((capacity, ADDRESS_BYTES), np.uint8)
        self.names: Int64s = self._pointers()
        """Where each row of ``addresses`` is in memory, for the kernel."""
        self.address_lengths: Int64s = np.zeros(capacity, np.int64)
        self.port: Int64s = np.full(capacity, -1, np.int64)
        """Index of the UDP port to send from; -1 for none."""
        self.routes: list[tuple[int, int, int]] = [_NOWHERE] * capacity
        """The same for where few packets go: port, pointer to the address in ``addresses``, its length."""
        self.twcc: Int64s = np.zeros(capacity, np.int64)
        """Next transport-wide sequence number."""
        self.srtp: list[Any] = [None] * capacity
        """libsrtp session for sending; None until DTLS is done."""
        self.srtp_in: list[Any] = [None] * capacity
        """The same for receiving."""
        self.sessions: Int64s = np.zeros(capacity, np.int64)
        """Where in memory the sessions for sending are, for what is compiled; 0 for none ..."""
        self.sessions_in: Int64s = np.zeros(capacity, np.int64)
        """... and those for receiving."""
        self.taps: dict[int, TapPort] = {}
        """By row: peers in our own process, without a session or an address."""
        self.tcp: list[TcpPeer | None] = [None] * capacity
        self.tcp_count = 0
        self._free = list(range(capacity - 1, -1, -1))

    def __len__(self) -> int:
        return len(self.port) - len(self._free)

    def allocate(self) -> int:
        """Take a row."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self.port[row] = -1
        self.twcc[row] = 1
        return row

    def release(self, row: int) -> None:
        """Give a row back; its session must not be used any more."""
        self.forget_address(row)
        self.srtp[row] = self.srtp_in[row] = None
        self.sessions[row] = self.sessions_in[row] = 0
        self.taps.pop(row, None)
        self._free.append(row)

    def use_srtp(self, row: int, pair: SrtpPair) -> None:
        """Encrypt and decrypt with these sessions, which must live until the row is released."""
        self.srtp[row], self.srtp_in[row] = pair.tx_ptr, pair.rx_ptr
        self.sessions[row], self.sessions_in[row] = location(pair.tx_ptr), location(pair.rx_ptr)

    def use_udp(self, row: int, port: int, raw_address: bytes) -> None:
        """Send to a socket address (as the kernel writes it) from the UDP port of that index."""
        self.forget_address(row)
        self.addresses[row, : len(raw_address)] = np.frombuffer(raw_address, np.uint8)
        self.address_lengths[row] = len(raw_address)
        self.port[row] = port
        self.routes[row] = (port, int(self.names[row]), len(raw_address))

    def use_tcp(self, row: int, peer: "TcpPeer") -> None:
        """Send over an ICE-TCP connection."""
        self.forget_address(row)
        self.tcp[row] = peer
        self.tcp_count += 1

    def forget_address(self, row: int) -> None:
        """Send nowhere."""
        self.port[row] = -1
        self.routes[row] = _NOWHERE
        if self.tcp[row] is not None:
            self.tcp[row] = None
            self.tcp_count -= 1

    def _pointers(self) -> Int64s:
        return self.addresses.ctypes.data + np.arange(len(self.addresses), dtype=np.int64) * ADDRESS_BYTES

    def _grow(self) -> None:
        old = len(self.port)
        self.addresses = grown(self.addresses)
        self.names = self._pointers()
        self.address_lengths = grown(self.address_lengths)
        self.port = grown(self.port, -1)
        self.twcc = grown(self.twcc)
        columns = (self.port.tolist(), self.names.tolist(), self.address_lengths.tolist())
        self.routes = [route if route[0] >= 0 else _NOWHERE for route in zip(*columns, strict=True)]
        self.srtp += [None] * old
        self.srtp_in += [None] * old
        self.sessions = grown(self.sessions)
        self.sessions_in = grown(self.sessions_in)
        self.tcp += [None] * old
        self._free = list(range(2 * old - 1, old - 1, -1))


def address_of(raw: bytes) -> tuple[str, int]:
    """Host and port of a kernel socket address; IPv4-mapped addresses as IPv4."""
    (family,) = _FAMILY.unpack_from(raw)
    if family == socket.AF_INET:
        port, host = _IPV4.unpack_from(raw, 2)
        return socket.inet_ntoa(host), port
    port = int.from_bytes(raw[2:4], "big")
    host = raw[8:24]
    if host[:12] == b"\0" * 10 + b"\xff\xff":
        return socket.inet_ntoa(host[12:]), port
    return socket.inet_ntop(socket.AF_INET6, host), port
