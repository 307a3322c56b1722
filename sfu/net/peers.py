"""The table of peers: where each transport's packets go and under which key, by row."""

import socket
import struct
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sfu.compiled.intake import ADDRESS_BYTES
from sfu.compiled.outgoing import NAME, NAME_LENGTH, PEER_COLUMNS, PORT, TWCC
from sfu.net.arrays import Int64s, UInt8s, grown
from sfu.net.places import Place
from sfu.net.srtp_table import SrtpTable

if TYPE_CHECKING:
    from sfu.net.tcp import TcpPeer

_IPV4 = struct.Struct("!H4s")
_FAMILY = struct.Struct("=H")


class TapPort(Protocol):
    """Takes what would else be encrypted and sent to a peer. Called in the midst of a tick: it may only take notes."""

    def rtp(self, packet: bytes) -> None: ...

    def rtcp(self, packet: bytes) -> None: ...


class PeerTable:
    """Rows are transports. A row without a port or TCP peer can't be sent to, and what is sent to it is dropped."""

    def __init__(self, capacity: int = 64) -> None:
        self.addresses: UInt8s = np.zeros((capacity, ADDRESS_BYTES), np.uint8)
        self.matrix: Int64s = np.zeros((capacity, PEER_COLUMNS), np.int64)
        """What compiled loops need of each row; the columns have names too."""
        self.place = Place(self.matrix)
        self.port[:] = -1
        self._point()
        self.srtp = SrtpTable(capacity)
        """Keys of the same rows."""
        self.taps: dict[int, TapPort] = {}
        """By row: peers in our own process, without a session or an address."""
        self.tcp: list[TcpPeer | None] = [None] * capacity
        self.tcp_count = 0
        self._free = list(range(capacity - 1, -1, -1))

    def __len__(self) -> int:
        return len(self.matrix) - len(self._free)

    @property
    def port(self) -> Int64s:
        """Index of the UDP port to send from; -1 for none."""
        return self.matrix[:, PORT]

    @property
    def address_lengths(self) -> Int64s:
        """How much of each row of ``addresses`` is used."""
        return self.matrix[:, NAME_LENGTH]

    @property
    def twcc(self) -> Int64s:
        """Next transport-wide sequence number."""
        return self.matrix[:, TWCC]

    def allocate(self) -> int:
        """Take a row."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self.matrix[row, PORT] = -1
        self.matrix[row, TWCC] = 1
        return row

    def release(self, row: int) -> None:
        """Give a row back, and forget its keys."""
        self.forget_address(row)
        self.srtp.release(row)
        self.taps.pop(row, None)
        self._free.append(row)

    def use_udp(self, row: int, port: int, raw_address: bytes) -> None:
        """Send to a socket address (as the kernel writes it) from the UDP port of that index."""
        self.forget_address(row)
        self.addresses[row, : len(raw_address)] = np.frombuffer(raw_address, np.uint8)
        self.matrix[row, NAME_LENGTH] = len(raw_address)
        self.matrix[row, PORT] = port

    def use_tcp(self, row: int, peer: "TcpPeer") -> None:
        """Send over an ICE-TCP connection."""
        self.forget_address(row)
        self.tcp[row] = peer
        self.tcp_count += 1

    def forget_address(self, row: int) -> None:
        """Send nowhere."""
        self.matrix[row, PORT] = -1
        if self.tcp[row] is not None:
            self.tcp[row] = None
            self.tcp_count -= 1

    def _point(self) -> None:
        """Note where in memory the addresses are, for the kernel."""
        rows = np.arange(len(self.addresses), dtype=np.int64)
        self.matrix[:, NAME] = self.addresses.ctypes.data + rows * ADDRESS_BYTES

    def _grow(self) -> None:
        old = len(self.matrix)
        self.addresses = grown(self.addresses)
        self.matrix = grown(self.matrix)
        self.place.move(self.matrix)
        self.matrix[old:, PORT] = -1
        self._point()
        self.srtp.grow()
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
