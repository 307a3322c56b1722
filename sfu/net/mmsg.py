"""Batches of datagrams in one system call: ``recvmmsg``, ``sendmmsg`` and UDP GSO through cffi's ABI mode.

The kernel's ``struct mmsghdr`` is eight 64-bit words on every 64-bit Linux, so headers, vectors, addresses and control
messages live in numpy arrays that are filled by column, or by compiled loops (:mod:`sfu.compiled.messages`).
:func:`supported` says whether this system has all that; ``sfu.net.udp`` falls back to one call per datagram where it
has not.
"""

import contextlib
import errno
import socket
import struct
import sys
from typing import Any

import numpy as np
from cffi import FFI

from sfu.compiled.intake import (
    ADDRESS_BYTES,
    FILLED,
    NANOSECONDS,
    ORIGIN_WORDS,
    RECEIVER_WORDS,
    RECVMMSG,
    SECONDS,
    TIMED_BYTES,
    receive,
)
from sfu.compiled.messages import (
    CONTROL,
    CONTROL_LENGTH,
    DATAGRAMS,
    FLAGS,
    HEADER_NAME,
    HEADER_WORDS,
    HEADERS_AT,
    IOV,
    IOV_LENGTH,
    MESSAGES,
    OCTETS,
    SENDMMSG,
    SENT,
    TAKEN,
    TARGET_COLUMNS,
    TARGET_ROW,
    VECTOR_WORDS,
    group,
    transmit,
    words_size,
)
from sfu.net.arrays import Int32s, Int64s, UInt8s, UInt64s

_SOL_UDP = 17
_UDP_SEGMENT = 103
_SO_TIMESTAMPNS = 35
_SO_RXQ_OVFL = 40
_MSG_TRUNC = 0x20

_NO_ROWS: Int64s = np.zeros(0, np.int64)

_ffi = FFI()
_ffi.cdef(
    """
    int recvmmsg(int fd, void *messages, unsigned int count, int flags, void *timeout);
    int sendmmsg(int fd, void *messages, unsigned int count, int flags);
    """
)
try:
    _lib = _ffi.dlopen(None) if sys.platform == "linux" and struct.calcsize("P") == 8 else None
except OSError:
    _lib = None


def supported() -> bool:
    """Whether this system can send and receive batches."""
    return _lib is not None and hasattr(_lib, "sendmmsg") and hasattr(_lib, "recvmmsg")


def _function(name: str) -> int:
    """Where in memory a function is, for compiled loops; 0 where there is none."""
    return int(_ffi.cast("intptr_t", _ffi.addressof(_lib, name))) if supported() else 0


_RECVMMSG, _SENDMMSG = _function("recvmmsg"), _function("sendmmsg")


def gso_supported(sock: socket.socket) -> bool:
    """Whether the kernel cuts one large message into datagrams for us (Linux 4.18 and later)."""
    try:
        sock.setsockopt(_SOL_UDP, _UDP_SEGMENT, 0)
    except OSError:
        return False
    return True


def enable_timestamps(sock: socket.socket) -> None:
    """Ask for the kernel's arrival time of each datagram; TWCC must not see the event loop's jitter."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


def enable_drop_counts(sock: socket.socket) -> None:
    """Ask to be told how many datagrams found the socket's buffer full."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)


class Receiver:
    """Drains a socket into an arena of fixed rows."""

    __slots__ = (
        "_vectors",
        "headers",
        "origins",
        "rows",
        "size",
        "state",
        "stride",
    )

    def __init__(self, size: int, stride: int) -> None:
        """``stride`` must be whole words."""
        self.size = size
        self.stride = stride
        self.rows: UInt8s = np.zeros((size, stride), np.uint8)
        """One datagram a row."""
        self.origins: Int64s = np.zeros((size, ORIGIN_WORDS), np.int64)
        """Whence and when each datagram came: its socket address, then control messages."""
        self._vectors: Int64s = np.zeros((size, 2), np.int64)
        index = np.arange(size, dtype=np.int64)
        self._vectors[:, 0] = self.rows.ctypes.data + index * stride
        self._vectors[:, 1] = stride
        self.headers: Int64s = np.zeros((size, HEADER_WORDS), np.int64)
        """What the kernel says of each datagram."""
        self.headers[:, HEADER_NAME] = self.origins.ctypes.data + index * ORIGIN_WORDS * 8
        self.headers[:, IOV] = self._vectors.ctypes.data + index * 16
        self.headers[:, IOV_LENGTH] = 1
        self.headers[:, CONTROL] = self.headers[:, HEADER_NAME] + ADDRESS_BYTES
        self.state: Int64s = np.zeros(RECEIVER_WORDS, np.int64)
        """As :mod:`sfu.compiled.intake` says."""
        self.state[FILLED] = size
        self.state[RECVMMSG] = _RECVMMSG

    def receive(self, fd: int, most: int | None = None) -> int:
        """Fill rows, ``most`` of them, with what waits in the socket's buffer; returns how many, 0 for nothing."""
        count: int = receive(self.headers, self.state, fd, min(most or self.size, self.size))
        return count

    def put(self, row: int, raw_address: bytes, length: int, arrival_us: int) -> None:
        """Describe a datagram that came into a row otherwise, as the kernel would."""
        origin = self.origins[row]
        origin[:] = 0
        origin.view(np.uint8)[: len(raw_address)] = np.frombuffer(raw_address, np.uint8)
        origin[SECONDS], origin[NANOSECONDS] = divmod(arrival_us * 1000, 1_000_000_000)
        self.headers[row, CONTROL_LENGTH] = TIMED_BYTES
        self.headers[row, FLAGS] = 0
        self.headers[row, SENT] = length

    def columns(self, count: int, fallback_us: int) -> tuple[UInt64s, Int64s, Int64s]:
        """Of the first ``count`` rows: first word of the address (all of it for IPv4), bytes, arrival in Unix µs.

        A datagram that was cut off has 0 bytes; ``fallback_us`` is for those that carry no time.
        """
        lengths = self.headers[:count, SENT] & 0xFFFFFFFF
        lengths[(self.headers[:count, FLAGS] & _MSG_TRUNC) != 0] = 0
        origins = self.origins[:count]
        times = origins[:, SECONDS] * 1_000_000 + origins[:, NANOSECONDS] // 1_000
        times[self.headers[:count, CONTROL_LENGTH] < TIMED_BYTES] = fallback_us
        return origins[:, 0].view(np.uint64), lengths, times

    def raw_address(self, row: int) -> bytes:
        """Where a row's datagram came from, in the kernel's form."""
        raw: bytes = self.origins[row].tobytes()
        return raw[:ADDRESS_BYTES]


class Sender:
    """Sends rows of packets; runs of equal size to one destination as one GSO message.

    What a peer's route refuses as GSO goes out datagram by datagram, and where the device can't do it at all (EIO:
    no checksum offload) nothing else is tried any more.
    """

    __slots__ = (
        "_headers_address",
        "_word",
        "gso_refused",
        "gso_works",
        "octets",
        "size",
        "unsent",
        "words",
    )

    def __init__(self, size: int) -> None:
        self.size = size
        self.words: Int64s = np.zeros(words_size(size), np.int64)
        """For :func:`sfu.compiled.messages.transmit`."""
        self.words[SENDMMSG] = _SENDMMSG
        self._word: Any = self.words.data
        self._headers_address = self.words.ctypes.data + HEADERS_AT * 8
        self.gso_works = True
        self.gso_refused = 0
        """GSO messages that were sent again as single datagrams."""
        self.octets = 0
        """Bytes that the kernel took since the start."""
        self.unsent: Int64s = _NO_ROWS
        """The rows given last that the full buffer had no room for."""

    def send(
        self,
        fd: int,
        rows: Int32s,
        first: int,
        count: int,
        memory: UInt8s,
        peers: Int64s,
        port: int,
        *,
        gso: bool,
    ) -> tuple[int, int, int]:
        """Send those of the first ``count`` rows that are encrypted and whose peers have this port.

        ``rows``, ``peers``: see :mod:`sfu.compiled.outgoing`. ``first`` is the row to begin with; those before it go
        last. Consecutive datagrams of equal size to one destination, and one shorter one after them, share a GSO
        message when ``gso``. Returns how many datagrams that were, how many of them were sent, and how many system
        calls it took; the rest was refused.
        """
        gso = gso and self.gso_works
        transmit(rows, first, count, memory, peers, port, fd, gso, self.words)
        return self.outcome(fd, count)

    def outcome(self, fd: int, size: int) -> tuple[int, int, int]:
        """Go on after a call of :func:`transmit` for so many rows; returns the same as :meth:`send`."""
        self.unsent = _NO_ROWS
        word = self._word
        datagrams = word[DATAGRAMS]
        if word[TAKEN] == word[MESSAGES]:
            self.octets += word[OCTETS]
            return datagrams, datagrams, min(1, datagrams)
        return datagrams, *self._go_on(fd, size)

    def _go_on(self, fd: int, size: int) -> tuple[int, int]:
        """After a first call that took fewer messages; those of several datagrams that are refused are sent again one
        by one. ``size``: of the tables. Returns how many datagrams were sent, and system calls."""
        tables = _Tables(self.words, size)
        word = self._word
        sent, calls, refused = self._flush(fd, tables, word[DATAGRAMS], word[MESSAGES], word[TAKEN])
        if refused:
            chosen = np.concatenate([tables.datagrams(message) for message in refused])
            count = len(chosen)
            for table in (tables.vectors, tables.targets):
                table[:count] = table[chosen]
            messages = group(self.words, size, count, False)
            more_sent, more_calls, _ = self._flush(fd, tables, count, messages)
            sent, calls = sent + more_sent, calls + more_calls
        return sent, calls

    def _flush(
        self, fd: int, tables: "_Tables", datagrams: int, messages: int, taken: int = 0
    ) -> tuple[int, int, list[int]]:
        """Send messages behind those that were ``taken`` by a first call, if there was one; -1: none were.

        Returns datagrams sent, system calls, and the messages of several datagrams that were refused.
        """
        assert _lib is not None
        done = sent = 0
        calls = int(taken > 0)
        refused = []
        headers = tables.headers
        while True:
            if taken > 0:
                behind = headers[done : done + taken]
                sent += int(behind[:, IOV_LENGTH].sum())
                self.octets += int((behind[:, SENT] & 0xFFFFFFFF).sum())
                done += taken
            elif calls and _ffi.errno in (errno.EAGAIN, errno.ENOBUFS):
                # The socket's buffer is full: later packets are worth more than these.
                rows = tables.targets[int(tables.datagrams(done)[0]) : datagrams, TARGET_ROW]
                self.unsent = np.concatenate([rows, self.unsent])
                break
            elif calls and _ffi.errno != errno.EINTR:
                if headers[done, IOV_LENGTH] > 1:
                    refused.append(done)
                    self.gso_refused += 1
                    self.gso_works = self.gso_works and _ffi.errno != errno.EIO
                done += 1  # alone, this destination can't be reached
            if done == messages:
                break
            # Also after a first call that failed: compiled code does not tell why.
            pointer = _ffi.cast("void *", self._headers_address + done * 8 * HEADER_WORDS)
            taken = _lib.sendmmsg(fd, pointer, messages - done, socket.MSG_DONTWAIT)
            calls += 1
        return sent, calls, refused


class _Tables:
    """What :func:`collect` has written, by table."""

    def __init__(self, words: Int64s, size: int) -> None:
        columns = (HEADER_WORDS, VECTOR_WORDS, TARGET_COLUMNS)
        ends = HEADERS_AT + np.cumsum(columns) * size
        self.headers, self.vectors, self.targets = (
            words[end - width * size : end].reshape(size, width)
            for end, width in zip(ends.tolist(), columns, strict=True)
        )
        self._first = self.vectors.ctypes.data

    def datagrams(self, message: int) -> Int64s:
        """Indices of a message's datagrams."""
        start = (int(self.headers[message, IOV]) - self._first) // (8 * VECTOR_WORDS)
        return np.arange(start, start + int(self.headers[message, IOV_LENGTH]))
