"""Ends of the way out: subscribers with sockets and keys, and what stands where a connection or a full port would."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from sfu.net.peers import PeerTable
from sfu.net.srtp import AEAD_AES_128_GCM, SrtpKeys, SrtpPair, SrtpProfile
from sfu.net.udp import UdpPort


@contextmanager
def both_families(*, batch: bool = True) -> Iterator[list[UdpPort]]:
    """A port for each family of addresses."""
    made = [
        UdpPort(index, host, 0, batch_size=16, buffer_bytes=1 << 20, batch=batch)
        for index, host in enumerate(("127.0.0.1", "::1"))
    ]
    try:
        yield made
    finally:
        for port in made:
            port.close()


class Peer:
    """A subscriber: a socket, and the other half of the keys."""

    def __init__(self, table: PeerTable, port: UdpPort, profile: SrtpProfile = AEAD_AES_128_GCM) -> None:
        self.row = table.allocate()
        ours, theirs = (bytes([self.row + way]) * (profile.key_size + profile.salt_size) for way in (1, 101))
        self._pair = SrtpPair(profile, ours, theirs)
        family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((port.host, 0))
        self.socket.setblocking(False)
        table.srtp.use(self.row, SrtpKeys(profile, theirs, ours))
        self.socket.sendto(b"x", (port.host, port.port))
        assert port.fill() == 1
        table.use_udp(self.row, port.index, port.raw_address(port.key(0)))

    def received(self) -> list[bytes]:
        """What came, decrypted."""
        packets = []
        while True:
            try:
                packet = self._pair.unprotect(self.socket.recv(2048))
            except BlockingIOError:
                return packets
            assert packet is not None
            packets.append(packet)


class Connection:
    """Stands where a TcpPeer would, and takes what it is given."""

    def __init__(self, takes: int) -> None:
        self.frames: list[bytes] = []
        self._takes = takes

    def send(self, data: bytes) -> bool:
        if len(self.frames) == self._takes:
            return False
        self.frames.append(data)
        return True


class Narrow:
    """A port whose buffer is soon full: a pair of local sockets, because the loopback's UDP never refuses."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        self._theirs.setblocking(False)
        self.index, self.gso, self.fileno = 0, False, self._ours.fileno()

    def drain(self) -> list[bytes]:
        received = []
        while True:
            try:
                received.append(self._theirs.recv(2048))
            except BlockingIOError:
                return received

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


class Tap:
    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def rtp(self, packet: bytes) -> None:
        self.packets.append(packet)

    def rtcp(self, packet: bytes) -> None:
        raise AssertionError


def rtp(sequence: int, size: int = 100, ssrc: int = 7) -> bytes:
    header = b"\x80\x60" + sequence.to_bytes(2, "big") + bytes(4) + ssrc.to_bytes(4, "big")
    return header + bytes([sequence & 0xFF]) * (size - 12)
