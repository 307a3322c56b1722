"""Datagrams of many sockets in one array, a ``recvmmsg`` call per socket."""

import ctypes
import socket
from typing import Any

from sfu.compiled.intake import rearm
from sfu.net.mmsg import Receiver

MAX_PER_SOCKET = 256
"""Datagrams taken of one socket before the next has its turn."""

_HEADER_BYTES = 64


class Arena(Receiver):
    """A receiver whose rows are filled from one socket after the other."""

    __slots__ = ("_first_header", "_first_row", "_recvmmsg", "used")

    def __init__(self, size: int, stride: int) -> None:
        super().__init__(size, stride)
        self.used = 0
        """Rows that are filled."""
        self._recvmmsg: Any = ctypes.CDLL(None).recvmmsg
        self._recvmmsg.argtypes = (
            ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p,
        )  # fmt: skip
        self._first_header = int(self.headers.ctypes.data)
        self._first_row = int(self.rows.ctypes.data)
        self.used = size
        self.clear()

    def clear(self) -> None:
        """Make all rows free."""
        # The kernel has overwritten the sizes of the buffers with those of what it put there.
        rearm(self.headers, self.used)
        self.used = 0

    def fill(self, fd: int) -> int:
        """Take what waits in a socket, as far as there is room; returns how many datagrams."""
        room = min(self.size - self.used, MAX_PER_SOCKET)
        address = self._first_header + self.used * _HEADER_BYTES
        count: int = self._recvmmsg(fd, address, room, socket.MSG_DONTWAIT, None)
        count = max(count, 0)
        self.used += count
        return count

    def address(self, row: int) -> int:
        """Where a row's bytes are in memory."""
        return self._first_row + row * self.stride
