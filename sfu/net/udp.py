"""One UDP socket that serves every client: batches in where the system can, one datagram at a time where not."""

import contextlib
import socket
import struct
import sys
import time
from copy import copy

from sfu.compiled.intake import ROW_BYTES
from sfu.net import mmsg, steering
from sfu.net.peers import address_of

_IPV4_BYTES = 16
_IPV6_BYTES = 28
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("9I")
_MEMINFO_DROPS = 8
_SO_RCVBUFFORCE = 33
_SO_SNDBUFFORCE = 32

AddressKey = int | bytes
"""A peer's address as a dictionary key: an IPv4 socket address as one integer, IPv6 as bytes."""


def has_ipv6() -> bool:
    """Whether a port can be opened on ``::``; the kernel may be without IPv6, or told to do without."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


class UdpPort:
    """A bound socket with its receive arena."""

    def __init__(
        self, index: int, host: str, port: int, *, batch_size: int, buffer_bytes: int, batch: bool
    ) -> None:
        self.index = index
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        if family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self._ipv4 = family == socket.AF_INET
        _grow_buffers(self._socket, buffer_bytes)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self.fileno = self._socket.fileno()
        self.batched = batch and mmsg.supported()
        """Datagrams may be received in batches."""
        self.timed = self.batched
        """Whether the kernel tells when datagrams came."""
        self.gso = self.batched and mmsg.gso_supported(self._socket)
        self.receiver = mmsg.Receiver(batch_size, ROW_BYTES)
        """What :meth:`fill` fills."""
        self.memory = self.receiver.rows.data.cast("B")
        """All rows."""
        self.batch_size = batch_size
        if self.batched:
            _tell_more(self._socket)

    def divide(self, buffer_bytes: int) -> "UdpPort | None":
        """Have RTCP that can wait come to a port of its own, which has the same number and rows.

        None where the system can't do that. What is sent goes by this port as ever.
        """
        if not self.batched:
            return None
        try:
            sock = steering.divide(self._socket)
        except OSError:
            return None
        _grow_buffers(sock, buffer_bytes)
        _tell_more(sock)
        port = copy(self)
        port._socket, port.fileno = sock, sock.fileno()  # noqa: SLF001
        return port

    def close(self) -> None:
        self._socket.close()

    @property
    def unread(self) -> int:
        """Datagrams that its buffer has had no room for, as far as the system tells (Linux 4.12)."""
        if sys.platform != "linux":
            return 0
        with contextlib.suppress(OSError):
            told = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
            if len(told) == _MEMINFO.size:
                return int(_MEMINFO.unpack(told)[_MEMINFO_DROPS])
        return 0

    def fill(self, most: int | None = None) -> int:
        """Drain one batch into rows, of ``most`` or at most ``batch_size``; returns how many datagrams."""
        if self.batched:
            return self.receiver.receive(self.fileno, most)
        return self._fill_singly(min(most or self.batch_size, self.batch_size))

    def key(self, row: int) -> AddressKey:
        """Where the datagram in a row came from."""
        raw = self.receiver.raw_address(row)
        if self._ipv4:
            return int.from_bytes(raw[:8], "little")
        return raw[:4] + b"\0\0\0\0" + raw[8:_IPV6_BYTES]  # without the flow label, which may change

    def data(self, row: int, length: int) -> memoryview:
        """The datagram in a row, valid until the next batch."""
        start = row * ROW_BYTES
        return self.memory[start : start + length]

    def raw_address(self, key: AddressKey) -> bytes:
        """The kernel's form of an address."""
        if isinstance(key, int):
            return key.to_bytes(8, "little").ljust(_IPV4_BYTES, b"\0")
        return key

    def send(self, data: bytes, key: AddressKey) -> bool:
        """Send one datagram now; False when the kernel refuses it."""
        return self.send_raw(data, self.raw_address(key))

    def send_raw(self, data: bytes | memoryview, raw_address: bytes) -> bool:
        """Send one datagram to an address in the kernel's form."""
        try:
            self._socket.sendto(data, address_of(raw_address))
        except OSError:
            return False
        return True

    def _fill_singly(self, most: int) -> int:
        for row in range(most):
            try:
                length, address = self._socket.recvfrom_into(self.data(row, ROW_BYTES))
            except OSError:
                return row
            raw_address = self.raw_address(_key_of(address))
            now_us = time.time_ns() // 1000
            self.receiver.put(row, raw_address, length if length < ROW_BYTES else 0, now_us)
        return most


def _tell_more(sock: socket.socket) -> None:
    """Have the kernel say with each datagram what it knows besides."""
    mmsg.enable_timestamps(sock)
    mmsg.enable_drop_counts(sock)


def _key_of(address: tuple[object, ...]) -> AddressKey:
    host, port = str(address[0]), int(str(address[1]))
    if ":" in host:
        family = int(socket.AF_INET6).to_bytes(2, "little")
        packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
        scope = int(str(address[3])).to_bytes(4, "little")
        return family + port.to_bytes(2, "big") + bytes(4) + packed + scope
    family = int(socket.AF_INET).to_bytes(2, "little")
    return int.from_bytes(family + port.to_bytes(2, "big") + socket.inet_aton(host), "little")


def _grow_buffers(sock: socket.socket, size: int) -> None:
    """Large buffers carry bursts; beyond the system's limit only a privileged process may go."""
    for forced, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, forced, size)
        except OSError:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, plain, size)
