"""The floor: what the same copies would cost if nothing but cipher and kernel were needed.

A stretch of what the engine really sent is recorded where it enters the kernel: every ``sendmmsg`` with its messages,
segments and destinations. The floor makes these calls again and again: one ``srtp_protect`` for each datagram over
ready-made bytes, in a compiled loop as the engine has, then the call with ready-made headers. It shares no code with
the engine but libsrtp, libc and how functions are compiled.
"""

import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pylibsrtp import Policy, Session

from sfu.compiled.arrays import Words
from sfu.compiled.jit import call, compiled
from sfu.compiled.messages import SENDMMSG
from sfu.net import mmsg, srtp

MAX_BYTES = 12 * 1024 * 1024
"""Of recorded datagrams: the engine's own arenas are of that size, so caches serve both alike."""
_TAG = 16
_SO_SNDBUFFORCE = 32
_SEND_BUFFER_BYTES = 8 * 1024 * 1024
_PAUSE_S = 0.0002
_LINE = 64
_HEADER = struct.Struct("8Q")
"""``struct mmsghdr``: name, its size, vectors, how many, control, its size, flags, length."""
_VECTOR = struct.Struct("QQ")
_SEGMENT = struct.Struct("=QiiH6x")
_SOL_UDP, _UDP_SEGMENT = 17, 103


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a ``sendmmsg``."""

    name: bytes
    """The destination."""
    vectors: tuple[bytes, ...]
    segment: int
    """Bytes of each datagram in it; 0 when it is only one."""

    @property
    def datagrams(self) -> int:
        return sum(-(-len(vector) // (self.segment or len(vector))) for vector in self.vectors)

    @property
    def streams(self) -> Iterator[bytes]:
        """Destination and SSRC of each datagram."""
        for vector in self.vectors:
            for at in range(0, len(vector), self.segment or len(vector)):
                yield self.name + vector[at + 8 : at + 12]

    @property
    def is_media(self) -> bool:
        """Whether it is RTP and neither RTCP nor STUN (RFC 7983, RFC 5761)."""
        first = self.vectors[0]
        return 128 <= first[0] <= 191 and not 192 <= first[1] <= 223


Batch = list[Message]
"""What one call took."""


class Recorder:
    """Listens between the engine and the kernel."""

    def __init__(self, senders: Iterable[mmsg.Sender]) -> None:
        self._lib: Any = mmsg._lib
        self._batches: list[Batch] = []
        self.at: list[float] = []
        """When each of them went, by the monotonic clock."""
        self._bytes = 0
        self._tap = _Tap(self._lib, self._note)
        self._ear = mmsg._ffi.callback("int(int, void *, unsigned int, int)", self._tap.sendmmsg)
        self._words = {id(sender): sender.words for sender in senders}
        """Where compiled loops find the function."""
        self._function = {key: int(words[SENDMMSG]) for key, words in self._words.items()}
        for words in self._words.values():
            words[SENDMMSG] = int(mmsg._ffi.cast("intptr_t", self._ear))
        mmsg._lib = self._tap

    def _note(self, pointer: Any, count: int) -> None:
        if self._bytes < MAX_BYTES:
            messages = [_message(one) for one in _HEADER.iter_unpack(_bytes(pointer, count * _HEADER.size))]
            batch = [message for message in messages if message.is_media]
            if batch:
                self._batches.append(batch)
                self.at.append(time.monotonic())
                self._bytes += sum(len(vector) for message in batch for vector in message.vectors)

    def stop(self) -> list[Batch]:
        mmsg._lib = self._lib
        for key, words in self._words.items():
            words[SENDMMSG] = self._function[key]
        return _repeatable(self._batches)


def _repeatable(batches: list[Batch]) -> list[Batch]:
    """As many batches as can be protected again and again: libsrtp takes no number that its window has left behind."""
    seen = Counter[bytes]()
    for index, batch in enumerate(batches):
        seen.update(stream for message in batch for stream in message.streams)
        if index and max(seen.values()) > srtp.SENT_WINDOW_SIZE:
            return batches[:index]
    return batches


class _Tap:
    """libc with an ear at ``sendmmsg``."""

    def __init__(self, lib: Any, note: Callable[[Any, int], None]) -> None:
        self._send = lib.sendmmsg
        self.recvmmsg = lib.recvmmsg
        self._note = note

    def sendmmsg(self, fd: int, pointer: Any, count: int, flags: int) -> int:
        sent: int = self._send(fd, pointer, count, flags)
        if sent > 0:
            self._note(pointer, sent)
        return sent


@compiled
def _protect(sessions: Words, rows: Words, lengths: Words, function: int) -> int:
    """Encrypt datagrams in place, given by where in memory everything is; returns how many were refused."""
    refused = 0
    for index in range(len(rows)):
        if call(function, (sessions[index], rows[index], lengths[index])):
            refused += 1
    return refused


class Prepared:
    """A batch in memory of its own with all its C structures, ready to go."""

    def __init__(self, batch: Batch, session_of: Callable[[bytes], int]) -> None:
        vectors = [vector for message in batch for vector in message.vectors]
        starts = np.cumsum([0, *(-(-len(vector) // _LINE) * _LINE for vector in vectors)])
        self._data: npt.NDArray[np.uint8] = np.zeros(int(starts[-1]) + _LINE, np.uint8)
        sessions: list[int] = []
        offsets: list[int] = []
        lengths: list[int] = []
        position = 0
        for message in batch:
            for vector in message.vectors:
                start = int(starts[position])
                self._data[start : start + len(vector)] = np.frombuffer(vector, np.uint8)
                for at in range(0, len(vector), message.segment or len(vector)):
                    offsets.append(start + at)
                    lengths.append(min(message.segment or len(vector), len(vector) - at) - _TAG)
                    sessions.append(session_of(message.name))
                position += 1
        self.count = len(offsets)
        self._plain = np.array(lengths, np.int32)
        self._lengths = self._plain.copy()
        self._sessions = np.array(sessions, np.int64)
        self._rows = self._data.ctypes.data + np.array(offsets, np.int64)
        self._length_places = self._lengths.ctypes.data + np.arange(self.count, dtype=np.int64) * 4
        self._messages = len(batch)
        self._prepare_headers(batch, starts + self._data.ctypes.data)

    def _prepare_headers(self, batch: Batch, addresses: npt.NDArray[np.int64]) -> None:
        lengths = [len(vector) for message in batch for vector in message.vectors]
        self._vectors = bytearray(
            b"".join(_VECTOR.pack(*pair) for pair in zip(addresses.tolist(), lengths, strict=False))
        )
        self._names = bytearray(b"".join(message.name.ljust(32, b"\0") for message in batch))
        self._control = bytearray(
            b"".join(_SEGMENT.pack(18, _SOL_UDP, _UDP_SEGMENT, message.segment) for message in batch)
        )
        vectors, names, control = (_address(b) for b in (self._vectors, self._names, self._control))
        headers = bytearray()
        position = 0
        for index, message in enumerate(batch):
            segmented = message.segment > 0
            headers += _HEADER.pack(
                names + 32 * index,
                len(message.name),
                vectors + _VECTOR.size * position,
                len(message.vectors),
                (control + _SEGMENT.size * index) * segmented,
                _SEGMENT.size * segmented,
                0,
                0,
            )
            position += len(message.vectors)
        self._headers = headers
        self._pointer = mmsg._ffi.from_buffer(headers)

    def send(self, fd: int, *, protect: bool = True) -> int:
        """Without ``protect`` what was recorded goes as it is."""
        if protect:
            np.copyto(self._lengths, self._plain)
            assert not _protect(self._sessions, self._rows, self._length_places, srtp.PROTECT)
        done = 0
        while done < self._messages:
            assert mmsg._lib is not None
            pointer = self._pointer + done * _HEADER.size
            sent = mmsg._lib.sendmmsg(fd, pointer, self._messages - done, socket.MSG_DONTWAIT)
            if sent <= 0:
                raise OSError(mmsg._ffi.errno, "sendmmsg")
            done += sent
        return self.count


class Floor:
    """Sends recorded batches round and round, from a socket and under sessions of its own."""

    def __init__(self, batches: list[Batch]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER_BYTES)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._socket.bind(("127.0.0.1", 0))
        self._sessions: dict[bytes, Session] = {}
        self.prepared = [Prepared(batch, self._session_of) for batch in batches]
        messages = sum(len(batch) for batch in batches)
        total = sum(batch.count for batch in self.prepared)
        self.shape = (total / len(batches), total / messages)
        """Datagrams per call and per message."""

    def run(self, datagrams: int, window: int, received: Any) -> tuple[int, float]:
        """Send so many, at most ``window`` ahead of what ``received`` counts; returns sent and CPU seconds."""
        sent, first, cpu_s = 0, received.value, 0.0
        while sent < datagrams:
            for batch in self.prepared:
                while sent + batch.count - (received.value - first) > max(window, batch.count):
                    time.sleep(_PAUSE_S)
                before_s = time.process_time()
                sent += batch.send(self._socket.fileno())
                cpu_s += time.process_time() - before_s
        return sent, cpu_s

    def _session_of(self, name: bytes) -> int:
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = _session()
        return srtp.location(session._srtp[0])


def _message(header: tuple[int, ...]) -> Message:
    name, name_bytes, vectors, count, control, control_bytes, _, _ = header
    parts = tuple(_bytes(*pair) for pair in _VECTOR.iter_unpack(_bytes(vectors, count * _VECTOR.size)))
    segment = 0
    if control_bytes & 0xFFFFFFFF >= 18:
        _, level, kind, size = _SEGMENT.unpack(_bytes(control, _SEGMENT.size))
        segment = size if (level, kind) == (_SOL_UDP, _UDP_SEGMENT) else 0
    return Message(_bytes(name, name_bytes & 0xFFFFFFFF), parts, segment)


def _bytes(address: Any, size: int) -> bytes:
    return bytes(mmsg._ffi.buffer(mmsg._ffi.cast("char *", address), size))


def _address(buffer: bytearray) -> int:
    return int(mmsg._ffi.cast("uintptr_t", mmsg._ffi.from_buffer(buffer)))


def _session() -> Session:
    policy = Policy(
        key=bytes(28),
        ssrc_type=Policy.SSRC_ANY_OUTBOUND,
        srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    )
    policy.window_size = srtp.SENT_WINDOW_SIZE
    policy.allow_repeat_tx = True  # the same bytes go out again and again
    return Session(policy)
