"""The way out for RTCP: packets of a round are collected, protected in one loop, and sent in few system calls."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sfu.net import mmsg, srtp
from sfu.net.arrays import UInt8s
from sfu.net.peers import PeerTable
from sfu.net.udp import UdpPort

ROWS = 256
"""Packets collected at most before they are sent."""
MAX_BYTES = 1200
"""Bytes of the longest packet."""
_STRIDE = 1224
assert _STRIDE >= MAX_BYTES + srtp.RTCP_OVERHEAD


class Outbox:
    """RTCP for the engine's peers, sent by :meth:`flush`, or when there is no more room."""

    def __init__(self, peers: PeerTable, ports: Sequence[UdpPort], *, batch: bool) -> None:
        self._peers = peers
        self._ports = ports
        self._sender = mmsg.Sender(ROWS) if batch and mmsg.supported() else None
        self._bytes = bytearray(ROWS * _STRIDE)
        self._view = memoryview(self._bytes)
        self._matrix = np.frombuffer(self._bytes, np.uint8).reshape(ROWS, _STRIDE)
        self._sizes = np.zeros(ROWS, np.int32)
        base = srtp.ffi.cast("unsigned char *", srtp.ffi.from_buffer(self._bytes))
        sizes = srtp.ffi.cast("int *", self._sizes.ctypes.data)
        self._address = int(srtp.ffi.cast("uintptr_t", base))
        self._row_pointers: list[Any] = [base + row * _STRIDE for row in range(ROWS)]
        self._size_pointers: list[Any] = [sizes + row for row in range(ROWS)]
        self._to: list[int] = []
        self._lengths: list[int] = []
        self.packets = 0
        """Handed to the kernel, to TCP connections, or to taps."""
        self.dropped = 0
        """Without keys or an address, too long, or refused by the kernel or libsrtp."""

    def put(self, peer: int, packet: bytes) -> None:
        """Take a plain (compound) packet for a row of the peer table."""
        size = len(packet)
        if size > MAX_BYTES:
            self.dropped += 1
            return
        if len(self._to) == ROWS:
            self.flush()
        at = len(self._to) * _STRIDE
        self._view[at : at + size] = packet
        self._to.append(peer)
        self._lengths.append(size)

    def rows(self, peers: list[int]) -> UInt8s:
        """Room for a packet to each of these peers, ROWS at most, and to be filled at once; then :meth:`written`."""
        if len(self._to) + len(peers) > ROWS:
            self.flush()
        start = len(self._to)
        self._to += peers
        return self._matrix[start : start + len(peers)]

    def written(self, lengths: list[int]) -> None:
        """The packets' sizes, of MAX_BYTES at most."""
        self._lengths += lengths

    def flush(self) -> None:
        """Protect and send what was put."""
        if not self._to:
            return
        to, lengths = self._to, self._lengths
        self._to, self._lengths = [], []
        count = len(to)
        sent = self.packets
        self._sizes[:count] = lengths
        rows = list(range(count))
        sessions = [self._peers.srtp[peer] for peer in to]
        if None in sessions:
            self._into_taps(to)
            rows = [row for row in rows if sessions[row] is not None]
            sessions = [sessions[row] for row in rows]
        pointers, sizes = self._row_pointers, self._size_pointers
        if len(rows) == count:
            results = list(map(srtp.protect_rtcp, sessions, pointers, sizes))
        else:
            columns = ([column[row] for row in rows] for column in (pointers, sizes))
            results = list(map(srtp.protect_rtcp, sessions, *columns))
        if any(results):
            rows = [row for row, result in zip(rows, results, strict=True) if not result]
        if self._peers.tcp_count:
            rows = self._over_tcp(rows, to)
        if rows:
            self._over_udp(rows, to)
        self.dropped += count - (self.packets - sent)

    def _into_taps(self, to: list[int]) -> None:
        """Hand out what is for peers in our own process, unencrypted."""
        for row, peer in enumerate(to):
            tap = self._peers.taps.get(peer)
            if tap is not None:
                tap.rtcp(bytes(self._packet(row)))
                self.packets += 1

    def _over_udp(self, rows: list[int], to: list[int]) -> None:
        for index, port in enumerate(self._ports):
            chosen = [row for row in rows if self._peers.routes[to[row]][0] == index]
            if chosen:
                self._send(port, chosen, [to[row] for row in chosen])

    def _send(self, port: UdpPort, rows: list[int], peers: list[int]) -> None:
        if self._sender is None:
            for row, peer in zip(rows, peers, strict=True):
                raw = self._peers.addresses[peer, : self._peers.address_lengths[peer]].tobytes()
                self.packets += port.send_raw(self._packet(row), raw)
        elif len(rows) <= mmsg.FEW:
            pointers = [self._address + row * _STRIDE for row in rows]
            _, names, name_lengths = zip(*map(self._peers.routes.__getitem__, peers), strict=True)
            lengths = self._sizes[rows].tolist()
            self.packets += self._sender.send_few(
                port.fileno, pointers, lengths, names, name_lengths, gso=False
            )[0]
        else:
            self.packets += self._sender.send(
                port.fileno,
                self._address + np.array(rows, np.int64) * _STRIDE,
                self._sizes[rows].astype(np.int64),
                self._peers.names[peers],
                self._peers.address_lengths[peers],
                gso=False,
            )[0]

    def _over_tcp(self, rows: list[int], to: list[int]) -> list[int]:
        """Send what goes over TCP; returns the rest."""
        rest = []
        for row in rows:
            connection = self._peers.tcp[to[row]]
            if connection is None:
                rest.append(row)
            else:
                self.packets += connection.send(bytes(self._packet(row)))
        return rest

    def _packet(self, row: int) -> memoryview:
        return self._view[row * _STRIDE : row * _STRIDE + int(self._sizes[row])]
