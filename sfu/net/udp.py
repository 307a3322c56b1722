"""One UDP socket that serves every client: batches in where the system can, one datagram at a time where not."""

import contextlib
import socket
import time
from collections.abc import Iterator
from itertools import islice

from sfu.net import mmsg
from sfu.net.arrays import Int64s, UInt64s
from sfu.net.peers import address_of

ROW_BYTES = 2048
"""Room for one datagram; what is larger is cut off by the kernel and dropped."""
_IPV4_BYTES = 16
_IPV6_BYTES = 28
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
        self._batch = batch and mmsg.supported()
        self.timed = self._batch
        """Whether the kernel tells when datagrams came."""
        self.gso = self._batch and mmsg.gso_supported(self._socket)
        self._receiver = mmsg.Receiver(batch_size, ROW_BYTES)
        self.rows = self._receiver.rows
        self.memory = self._receiver.rows.data.cast("B")
        """All rows."""
        self.batch_size = batch_size
        self._count = 0
        self._single: list[tuple[AddressKey, int, int, int]] = []
        if self._batch:
            mmsg.enable_timestamps(self._socket)

    def close(self) -> None:
        self._socket.close()

    def receive(self) -> Iterator[tuple[AddressKey, int, int, int]]:
        """Drain one batch: (address key, row of ``rows``, bytes, arrival in Unix µs) of each datagram."""
        self.fill()
        return self.datagrams()

    def fill(self, most: int | None = None) -> int:
        """Drain one batch into ``rows``, of ``most`` or at most ``batch_size``; returns how many datagrams."""
        if self._batch:
            self._count = self._receiver.receive(self.fileno, most)
        else:
            self._single = list(islice(self._receive_singly(), most))
            self._count = len(self._single)
        return self._count

    def datagrams(self) -> Iterator[tuple[AddressKey, int, int, int]]:
        """Of each of the batch: address key, row of ``rows``, bytes, arrival in Unix µs."""
        if not self._batch:
            return iter(self._single)
        datagrams = self._receiver.datagrams(time.time_ns() // 1000)
        if self._ipv4:
            return ((word, row, length, at_us) for row, (word, length, at_us) in enumerate(datagrams))
        return ((self._ipv6_key(row), row, length, at_us) for row, (_, length, at_us) in enumerate(datagrams))

    def columns(self) -> tuple[UInt64s, Int64s, Int64s] | None:
        """The batch by column: address keys, bytes, arrivals in Unix µs. None where keys are no numbers."""
        if not self._batch or not self._ipv4:
            return None
        return self._receiver.columns(self._count, time.time_ns() // 1000)

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

    def _ipv6_key(self, row: int) -> bytes:
        raw = self._receiver.raw_address(row)[:_IPV6_BYTES]
        return raw[:4] + b"\0\0\0\0" + raw[8:]  # without the flow label, which may change

    def _receive_singly(self) -> Iterator[tuple[AddressKey, int, int, int]]:
        for row in range(self.batch_size):
            try:
                length, address = self._socket.recvfrom_into(self.data(row, ROW_BYTES))
            except OSError:
                return
            yield _key_of(address), row, length if length < ROW_BYTES else 0, time.time_ns() // 1000


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
