"""What waits in the engine's socket, seen from outside: no line of the engine is touched to know it."""

import socket
import struct

_SO_MEMINFO = 55
_WORDS = struct.Struct("9I")
_QUEUED, _LIMIT, _DROPS = 0, 1, 8


class WaitingRoom:
    """The engine's receive buffer, through a duplicate of its socket (Linux 4.12 and later).

    The kernel returns memory in lumps: bytes stay counted until all of the part that the engine is reading has been
    read. So a generator that keeps two lumps in there never lets the engine run dry.
    """

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)

    @property
    def octets(self) -> int:
        """Bytes of kernel memory that waiting datagrams take, which is more than they carry."""
        return self._words()[_QUEUED]

    @property
    def limit(self) -> int:
        """Bytes at which the kernel drops what comes."""
        return self._words()[_LIMIT]

    @property
    def drops(self) -> int:
        """Datagrams dropped since the start because the buffer was full."""
        return self._words()[_DROPS]

    def close(self) -> None:
        self._socket.close()

    def _words(self) -> tuple[int, ...]:
        return _WORDS.unpack(self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _WORDS.size))
