"""One UDP socket that plays hundreds of peers.

Every address in 127.0.0.0/8 is this machine, so a socket bound to ``0.0.0.0:P`` receives for all of ``127.x.y.z:P``,
and says with ``IP_PKTINFO`` which of them it sends from. The engine sees a different address for each peer; the bench
drains one socket.
"""

import socket
import struct
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sfu.net import mmsg

ROWS = 1024
STRIDE = 2048
RECEIVE_BUFFER_BYTES = 512 * 1024 * 1024
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 33, 32
_IP_PKTINFO = 8
_CONTROL_BYTES = 32

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class PeerSocket:
    """The socket of all peers; peers are numbered from 0."""

    def __init__(self, peers: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        for option, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER_BYTES)
            except PermissionError:
                self._socket.setsockopt(socket.SOL_SOCKET, plain, RECEIVE_BUFFER_BYTES)
        self._socket.bind(("0.0.0.0", 0))
        self.fileno = self._socket.fileno()
        self.port: int = self._socket.getsockname()[1]
        self.hosts = [_host(peer) for peer in range(peers)]
        self._control = np.zeros((peers, _CONTROL_BYTES), np.uint8)
        for peer, host in enumerate(self.hosts):
            cmsg = struct.pack(
                "=QiiI4s4s4x", 28, socket.IPPROTO_IP, _IP_PKTINFO, 0, socket.inet_aton(host), b""
            )
            self._control[peer] = np.frombuffer(cmsg, np.uint8)
        self._destination = np.zeros(16, np.uint8)
        self._vectors = np.zeros((ROWS, 2), np.int64)
        self._headers = np.zeros((ROWS, 8), np.int64)
        self._headers[:, 0] = self._destination.ctypes.data
        self._headers[:, 1] = 16
        self._headers[:, 2] = self._vectors.ctypes.data + np.arange(ROWS) * 16
        self._headers[:, 3] = 1
        self._headers[:, 5] = 28
        self.busy_s = 0.0
        """Time that sending took."""
        self._receiver = mmsg.Receiver(ROWS, STRIDE)
        self.rows = self._receiver.rows

    def aim(self, host: str, port: int) -> None:
        """Send to the engine there."""
        raw = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton(host))
        self._destination[:] = np.frombuffer(raw, np.uint8)

    def send(self, peers: Ints, pointers: Ints, lengths: Ints) -> None:
        """Send datagrams given by column: which peer's, where the bytes are, and how many."""
        assert mmsg._lib is not None
        began_at = time.perf_counter()
        for start in range(0, len(peers), ROWS):
            part = slice(start, start + ROWS)
            count = len(peers[part])
            self._vectors[:count, 0] = pointers[part]
            self._vectors[:count, 1] = lengths[part]
            self._headers[:count, 4] = self._control.ctypes.data + peers[part] * _CONTROL_BYTES
            done = 0
            while done < count:
                pointer = mmsg._ffi.cast("void *", self._headers.ctypes.data + done * 64)
                sent = mmsg._lib.sendmmsg(self.fileno, pointer, count - done, 0)
                if sent < 0:
                    raise OSError(mmsg._ffi.errno, "sendmmsg")
                done += sent
        self.busy_s += time.perf_counter() - began_at

    def send_all(self, datagrams: Sequence[tuple[int, bytes]]) -> None:
        """Send a few (peer, datagram) pairs."""
        if not datagrams:
            return
        data = np.frombuffer(b"".join(datagram for _, datagram in datagrams), np.uint8)
        lengths = np.array([len(datagram) for _, datagram in datagrams], np.int64)
        starts = np.cumsum(lengths) - lengths
        peers = np.array([peer for peer, _ in datagrams], np.int64)
        self.send(peers, data.ctypes.data + starts, lengths)

    def receive(self) -> int:
        """Fill ``rows``; returns how many."""
        return self._receiver.receive(self.fileno)

    def lengths(self, count: int) -> list[int]:
        lengths: list[int] = self._receiver.columns(count, 0)[1].tolist()
        return lengths

    def timestamp(self) -> None:
        """Let the kernel note when datagrams arrive."""
        mmsg.enable_timestamps(self._socket)

    def arrivals_s(self, count: int) -> Floats:
        """When the first ``count`` rows arrived, in Unix seconds."""
        return self._receiver.columns(count, 0)[2] / 1e6

    def close(self) -> None:
        self._socket.close()


def _host(peer: int) -> str:
    return f"127.{1 + (peer >> 16)}.{peer >> 8 & 255}.{peer & 255}"
