"""The way out for RTCP: packets of a round are collected, protected in one loop, and sent in few system calls."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sfu.compiled.copies import protect
from sfu.compiled.outgoing import (
    KEYLESS,
    PLAIN,
    PORT,
    PROTECTED,
    ROW_COLUMNS,
    ROW_LENGTH,
    ROW_PEER,
    ROW_STATE,
)
from sfu.net import mmsg, srtp
from sfu.net.arrays import Int32s, UInt8s
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
        self._memory: UInt8s = np.zeros(ROWS * _STRIDE, np.uint8)
        self._view = self._memory.data
        self._matrix = self._memory.reshape(ROWS, _STRIDE)
        self._rows: Int32s = np.zeros((ROWS, ROW_COLUMNS), np.int32)
        self._row: Any = self._rows.data
        self._count = 0
        self.packets = 0
        """Handed to the kernel, to TCP connections, or to taps."""
        self.dropped = 0
        """Without keys or an address, too long, or refused by the kernel or by SRTP."""

    def put(self, peer: int, packet: bytes) -> None:
        """Take a plain (compound) packet for a row of the peer table."""
        size = len(packet)
        if size > MAX_BYTES:
            self.dropped += 1
            return
        if self._count == ROWS:
            self.flush()
        number, row = self._count, self._row
        start = number * _STRIDE
        self._view[start : start + size] = packet
        row[number, ROW_LENGTH], row[number, ROW_PEER], row[number, ROW_STATE] = size, peer, PLAIN
        self._count = number + 1

    def room(self, count: int) -> tuple[UInt8s, Int32s]:
        """Room for so many packets, ROWS at most, for who writes them there at once and then says :meth:`added`.

        One row each of bytes, MAX_BYTES of them at most, and of what :mod:`sfu.compiled.outgoing` says of a copy.
        """
        if self._count + count > ROWS:
            self.flush()
        first, behind = self._count, self._count + count
        return self._matrix[first:behind], self._rows[first:behind]

    def added(self, count: int) -> None:
        """So many packets have been written."""
        self._count += count

    def flush(self) -> None:
        """Protect and send what was put."""
        count, self._count = self._count, 0
        if not count:
            return
        sent = self.packets
        left = count - protect(self._rows, count, self._memory, True, *self._peers.srtp.tables(0))
        if left < count:
            self._into_taps(self._rows[:count])
        for port in self._ports:
            if left:
                left -= self._over_udp(port, count)
        if left:
            self._over_tcp(self._rows[:count])
        self.dropped += count - (self.packets - sent)

    def _into_taps(self, rows: Int32s) -> None:
        """Hand out what is for peers in our own process, unencrypted."""
        for row in np.flatnonzero(rows[:, ROW_STATE] == KEYLESS).tolist():
            tap = self._peers.taps.get(int(rows[row, ROW_PEER]))
            if tap is not None:
                tap.rtcp(bytes(self._packet(row)))
                self.packets += 1

    def _over_udp(self, port: UdpPort, count: int) -> int:
        """Send what goes out by a port; returns how many packets that were."""
        if self._sender is not None:
            found, sent, _ = self._sender.send(
                port.fileno, self._rows, 0, count, self._memory, self._peers.matrix, port.index, gso=False
            )
            self.packets += sent
            return found
        here = self._by_port(self._rows[:count], port.index)
        for row in here:
            peer = int(self._rows[row, ROW_PEER])
            raw = self._peers.addresses[peer, : self._peers.address_lengths[peer]].tobytes()
            self.packets += port.send_raw(self._packet(row), raw)
        return len(here)

    def _over_tcp(self, rows: Int32s) -> None:
        """Send what has no UDP port to those who have a connection."""
        for row in self._by_port(rows, -1):
            connection = self._peers.tcp[rows[row, ROW_PEER]]
            if connection is not None:
                self.packets += connection.send(bytes(self._packet(row)))

    def _by_port(self, rows: Int32s, index: int) -> list[int]:
        ports = self._peers.matrix[rows[:, ROW_PEER], PORT]
        found: list[int] = np.flatnonzero((rows[:, ROW_STATE] == PROTECTED) & (ports == index)).tolist()
        return found

    def _packet(self, row: int) -> memoryview:
        return self._view[row * _STRIDE : row * _STRIDE + int(self._rows[row, ROW_LENGTH])]
