"""Batches of datagrams in one system call: ``recvmmsg``, ``sendmmsg`` and UDP GSO through cffi's ABI mode.

The kernel's ``struct mmsghdr`` is eight 64-bit words on every 64-bit Linux, so headers, vectors, addresses and control
messages live in numpy arrays that are filled by column. :func:`supported` says whether this system has all that;
``sfu.net.udp`` falls back to one call per datagram where it has not. It is longer than most files, so that one alone
knows how these structures are laid out.
"""

import errno
import socket
import struct
import sys
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from cffi import FFI

from sfu.compiled.intake import (
    ADDRESS_BYTES,
    CONTROL_LENGTH,
    HEADER_WORDS,
    NANOSECONDS,
    ORIGIN_WORDS,
    SECONDS,
    TIMED_BYTES,
    rearm,
)
from sfu.net.arrays import Int64s, UInt8s, UInt64s, run_lengths

_SOL_UDP = 17
_UDP_SEGMENT = 103
_SO_TIMESTAMPNS = 35
_MSG_TRUNC = 0x20
_NAME, _NAME_LENGTH, _IOV, _IOV_LENGTH, _CONTROL, _CONTROL_LENGTH, _FLAGS, _LENGTH = range(8)

MAX_SEGMENTS = 60
"""Segments in one GSO message; the kernel's UDP_MAX_SEGMENTS is 64 before Linux 6.9."""
MAX_GSO_BYTES = 65_000
"""Payload of one GSO message; a UDP datagram carries at most 65,507."""

FEW = 128
"""Datagrams up to which :meth:`Sender.send_few` is the faster way."""
_VECTOR = struct.Struct("=qq")
"""struct iovec"""
_MESSAGE = struct.Struct("=8q")
"""struct mmsghdr"""
_SEGMENT = struct.Struct("=QiiH6x")
"""struct cmsghdr {size_t len; int level; int type;} and the segment size"""
_CONTROL_USED = 18

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


class Receiver:
    """Drains a socket into an arena of fixed rows."""

    __slots__ = (
        "_filled",
        "_headers_pointer",
        "_vectors",
        "headers",
        "origins",
        "rows",
        "size",
        "stride",
        "words",
    )

    def __init__(self, size: int, stride: int) -> None:
        """``stride`` must be whole words."""
        self.size = size
        self.stride = stride
        self.rows: UInt8s = np.zeros((size, stride), np.uint8)
        """One datagram a row."""
        self.words: Int64s = self.rows.view(np.int64)
        """The same as words."""
        self.origins: Int64s = np.zeros((size, ORIGIN_WORDS), np.int64)
        """Whence and when each datagram came: its socket address, then control messages."""
        self._vectors: Int64s = np.zeros((size, 2), np.int64)
        index = np.arange(size, dtype=np.int64)
        self._vectors[:, 0] = self.rows.ctypes.data + index * stride
        self._vectors[:, 1] = stride
        self.headers: Int64s = np.zeros((size, HEADER_WORDS), np.int64)
        """What the kernel says of each datagram."""
        self.headers[:, _NAME] = self.origins.ctypes.data + index * ORIGIN_WORDS * 8
        self.headers[:, _IOV] = self._vectors.ctypes.data + index * 16
        self.headers[:, _IOV_LENGTH] = 1
        self.headers[:, _CONTROL] = self.headers[:, _NAME] + ADDRESS_BYTES
        self._headers_pointer = _ffi.cast("void *", self.headers.ctypes.data)
        self._filled = size

    def receive(self, fd: int, most: int | None = None) -> int:
        """Fill rows, ``most`` of them, with what waits in the socket's buffer; returns how many, 0 for nothing."""
        rearm(self.headers, self._filled)
        assert _lib is not None
        count: int = _lib.recvmmsg(
            fd, self._headers_pointer, min(most or self.size, self.size), socket.MSG_DONTWAIT, _ffi.NULL
        )
        self._filled = max(count, 0)
        return self._filled

    def put(self, row: int, raw_address: bytes, length: int, arrival_us: int) -> None:
        """Describe a datagram that came into a row otherwise, as the kernel would."""
        origin = self.origins[row]
        origin[:] = 0
        origin.view(np.uint8)[: len(raw_address)] = np.frombuffer(raw_address, np.uint8)
        origin[SECONDS], origin[NANOSECONDS] = divmod(arrival_us * 1000, 1_000_000_000)
        self.headers[row, CONTROL_LENGTH] = TIMED_BYTES
        self.headers[row, _FLAGS] = 0
        self.headers[row, _LENGTH] = length

    def columns(self, count: int, fallback_us: int) -> tuple[UInt64s, Int64s, Int64s]:
        """Of the first ``count`` rows: first word of the address (all of it for IPv4), bytes, arrival in Unix µs.

        A datagram that was cut off has 0 bytes; ``fallback_us`` is for those that carry no time.
        """
        lengths = self.headers[:count, _LENGTH] & 0xFFFFFFFF
        lengths[(self.headers[:count, _FLAGS] & _MSG_TRUNC) != 0] = 0
        origins = self.origins[:count]
        times = origins[:, SECONDS] * 1_000_000 + origins[:, NANOSECONDS] // 1_000
        times[self.headers[:count, CONTROL_LENGTH] < TIMED_BYTES] = fallback_us
        return origins[:, 0].view(np.uint64), lengths, times

    def raw_address(self, row: int) -> bytes:
        """Where a row's datagram came from, in the kernel's form."""
        raw: bytes = self.origins[row].tobytes()
        return raw[:ADDRESS_BYTES]


class Sender:
    """Sends rows of an arena; runs of equal size to one destination as one GSO message.

    What a peer's route refuses as GSO goes out datagram by datagram, and where the device can't do it at all (EIO:
    no checksum offload) nothing else is tried any more.
    """

    __slots__ = (
        "_control_address",
        "_control_bytes",
        "_control_sizes",
        "_controls",
        "_gso_works",
        "_header_bytes",
        "_headers",
        "_headers_address",
        "_headers_pointer",
        "_index",
        "_vector_bytes",
        "_vectors",
        "_vectors_address",
        "gso_refused",
        "octets",
        "size",
        "stopped_at",
    )

    def __init__(self, size: int) -> None:
        self.size = size
        self._index: Int64s = np.arange(size, dtype=np.int64)
        self._vectors: Int64s = np.zeros((size, 2), np.int64)
        self._vector_bytes = self._vectors.data.cast("B")
        self._vectors_address = self._vectors.ctypes.data
        self._headers: Int64s = np.zeros((size, 8), np.int64)
        self._header_bytes = self._headers.data.cast("B")
        self._headers_address = self._headers.ctypes.data
        self._headers_pointer = _ffi.cast("void *", self._headers_address)
        control: UInt8s = np.zeros((size, _SEGMENT.size), np.uint8)
        control[:] = np.frombuffer(_SEGMENT.pack(_CONTROL_USED, _SOL_UDP, _UDP_SEGMENT, 0), np.uint8)
        self._control_bytes = control.data.cast("B")
        self._control_sizes = control.view(np.uint16)
        self._control_address = control.ctypes.data
        self._controls: Int64s = self._control_address + self._index * _SEGMENT.size
        self._gso_works = True
        self.gso_refused = 0
        """GSO messages that were sent again as single datagrams."""
        self.octets = 0
        """Bytes that the kernel took since the start."""
        self.stopped_at = -1
        """Of the datagrams given last, the first that the full buffer had no room for; -1 when all had."""

    def send(
        self,
        fd: int,
        pointers: Int64s,
        lengths: Int64s,
        names: Int64s,
        name_lengths: Int64s,
        *,
        gso: bool,
    ) -> tuple[int, int]:
        """Send datagrams given by column: address of the bytes, size, address and size of the destination.

        Consecutive datagrams of equal size to one destination, and one shorter one after them, share a GSO message
        when ``gso``. Returns how many datagrams were sent and how many system calls that took; the rest was refused.
        """
        count = len(pointers)
        vectors = self._vectors[:count]
        vectors[:, 0] = pointers
        vectors[:, 1] = lengths
        headers = self._headers[:count]
        if gso and self._gso_works:
            starts = _runs(lengths, names)
            headers = headers[: len(starts)]
        if len(headers) == count:
            starts = self._index[:count]
            headers[:, _NAME] = names
            headers[:, _NAME_LENGTH] = name_lengths
            headers[:, _IOV_LENGTH] = 1
            headers[:, _CONTROL:] = 0
        else:
            runs = run_lengths(starts, count)
            headers[:, _NAME] = names[starts]
            headers[:, _NAME_LENGTH] = name_lengths[starts]
            headers[:, _IOV_LENGTH] = runs
            segmented = runs > 1
            self._control_sizes[: len(starts), 8] = lengths[starts]
            headers[:, _CONTROL] = self._controls[: len(starts)] * segmented
            headers[:, _CONTROL_LENGTH] = 24 * segmented
        headers[:, _IOV] = self._vectors_address + starts * 16
        return self._finish(fd, len(headers), (pointers, lengths, names, name_lengths))

    def send_few(
        self,
        fd: int,
        pointers: Sequence[int],
        lengths: Sequence[int],
        names: Sequence[int],
        name_lengths: Sequence[int],
        *,
        gso: bool,
    ) -> tuple[int, int]:
        """What :meth:`send` does with as many datagrams as there are ``lengths``, without arrays."""
        count = len(lengths)
        vectors, headers = self._vector_bytes, self._header_bytes
        at = 0
        for pointer, length in zip(pointers, lengths, strict=False):
            _VECTOR.pack_into(vectors, at, pointer, length)
            at += _VECTOR.size
        starts = _few_runs(lengths, names) if gso and count > 1 and self._gso_works else range(count)
        at = 0
        for start, stop in pairwise((*starts, count)):
            run, control, control_length = stop - start, 0, 0
            if run > 1:
                place = start * _SEGMENT.size
                size = lengths[start]
                _SEGMENT.pack_into(self._control_bytes, place, _CONTROL_USED, _SOL_UDP, _UDP_SEGMENT, size)
                control, control_length = self._control_address + place, _SEGMENT.size
            target, vector = (names[start], name_lengths[start]), self._vectors_address + start * _VECTOR.size
            _MESSAGE.pack_into(headers, at, *target, vector, run, control, control_length, 0, 0)
            at += _MESSAGE.size
        return self._finish(fd, len(starts), (pointers, lengths, names, name_lengths))

    def _finish(self, fd: int, messages: int, columns: tuple[Int64s | Sequence[int], ...]) -> tuple[int, int]:
        """Hand messages over; those of several datagrams that are refused are sent again one by one."""
        self.stopped_at = -1
        assert _lib is not None
        taken: int = _lib.sendmmsg(fd, self._headers_pointer, messages, socket.MSG_DONTWAIT)
        if taken == messages:
            lengths = columns[1]
            self.octets += int(lengths.sum()) if isinstance(lengths, np.ndarray) else sum(lengths)
            return len(lengths), 1
        sent, calls, refused = self._flush(fd, messages, taken)
        if refused:
            stopped_at = self.stopped_at
            rows = np.concatenate([self._datagrams(message) for message in refused])
            pointers, lengths, names, name_lengths = (np.array(column)[rows] for column in columns)
            more_sent, more_calls = self.send(fd, pointers, lengths, names, name_lengths, gso=False)
            sent, calls = sent + more_sent, calls + more_calls
            self.stopped_at = int(rows[self.stopped_at]) if self.stopped_at >= 0 else stopped_at
        return sent, calls

    def _datagrams(self, message: int) -> Int64s:
        """Indices of a message's datagrams."""
        start = (int(self._headers[message, _IOV]) - self._vectors_address) // _VECTOR.size
        return self._index[start : start + int(self._headers[message, _IOV_LENGTH])].copy()

    def _flush(self, fd: int, messages: int, result: int) -> tuple[int, int, list[int]]:
        """Go on after a first call that returned ``result``.

        Returns datagrams sent, system calls, and the messages of several datagrams that were refused.
        """
        assert _lib is not None
        done = sent = 0
        calls = 1
        refused = []
        while True:
            if result > 0:
                taken = self._headers[done : done + result]
                sent += int(taken[:, _IOV_LENGTH].sum())
                self.octets += int((taken[:, _LENGTH] & 0xFFFFFFFF).sum())
                done += result
            elif _ffi.errno in (errno.EAGAIN, errno.ENOBUFS):
                self.stopped_at = int(self._datagrams(done)[0])
                break  # the socket's buffer is full: later packets are worth more than these
            elif _ffi.errno != errno.EINTR:
                if self._headers[done, _IOV_LENGTH] > 1:
                    refused.append(done)
                    self.gso_refused += 1
                    self._gso_works = self._gso_works and _ffi.errno != errno.EIO
                done += 1  # alone, this destination can't be reached
            if done == messages:
                break
            pointer = _ffi.cast("void *", self._headers_address + done * 64)
            result = _lib.sendmmsg(fd, pointer, messages - done, socket.MSG_DONTWAIT)
            calls += 1
        return sent, calls, refused


def _few_runs(lengths: Sequence[int], names: Sequence[int]) -> list[int]:
    """What :func:`_runs` finds, for a few."""
    starts: list[int] = []
    size = name = room = 0
    for index, (length, target) in enumerate(zip(lengths, names, strict=True)):
        if room and target == name and length <= size:
            room = room - 1 if length == size else 0
            continue
        starts.append(index)
        size, name, room = length, target, min(MAX_SEGMENTS, MAX_GSO_BYTES // length) - 1
    return starts


def _runs(lengths: Int64s, names: Int64s) -> Int64s:
    """First index of each message: datagrams of equal size to one destination, then at most one that is shorter.

    Cut where a GSO message would be too large.
    """
    count = len(lengths)
    change = np.empty(count, np.bool_)
    change[0] = True
    np.not_equal(lengths[1:], lengths[:-1], out=change[1:])
    change[1:] |= names[1:] != names[:-1]
    starts = change.nonzero()[0]
    sizes = lengths[starts]
    runs = run_lengths(starts, count)
    allowed = np.minimum(MAX_SEGMENTS, MAX_GSO_BYTES // sizes)
    if (runs > allowed).any():
        pieces = [
            np.arange(start, start + run, step)
            for start, run, step in zip(starts.tolist(), runs.tolist(), allowed.tolist(), strict=True)
        ]
        starts = np.concatenate(pieces)
        sizes = lengths[starts]
        runs = run_lengths(starts, count)
    if len(starts) > 1:
        starts = _join(starts, sizes, runs, names[starts])
    return starts


def _join(starts: Int64s, sizes: Int64s, runs: Int64s, names: Int64s) -> Int64s:
    """Give each run the first datagram of the next one, if that is shorter and there is room."""
    fits = (
        (sizes[1:] < sizes[:-1])
        & (names[1:] == names[:-1])
        & (runs[:-1] < MAX_SEGMENTS)
        & (sizes[:-1] * runs[:-1] + sizes[1:] <= MAX_GSO_BYTES)
    )
    if not fits.any():
        return starts
    # A run of one that is given away can't take another: along a chain of such runs it is every second.
    index = np.arange(len(starts))
    chained = np.zeros(len(starts), np.bool_)
    chained[1:] = fits & (runs[1:] == 1)
    heads = np.maximum.accumulate(np.where(chained, 0, index))
    gone = chained & ((index - heads) & 1 == 1)
    given = fits & ~gone[:-1]
    starts[1:] += given
    kept: Int64s = starts[~gone]
    return kept
