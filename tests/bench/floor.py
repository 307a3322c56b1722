"""The floor: what the same copies would cost if nothing but cipher and kernel were needed.

A stretch of what the engine really sent is recorded: rows, sizes, destinations, batch by batch. The floor sends these
batches again and again: one ``srtp_protect`` for each datagram over ready-made bytes, and the same socket calls.
"""

import socket
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pylibsrtp import Policy, Session

from sfu.forwarding.arena import SendArena
from sfu.net import mmsg, srtp
from sfu.net.egress import Egress
from sfu.net.peers import PeerTable

MAX_BYTES = 12 * 1024 * 1024
"""Of recorded rows: the engine's own arenas are of that size, so caches serve both alike."""
_TAG = 16
_SO_SNDBUFFORCE = 32
_SEND_BUFFER_BYTES = 8 * 1024 * 1024
_PAUSE_S = 0.0002

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """One hand-over to the kernel, protected."""

    rows: npt.NDArray[np.uint8]
    lengths: Ints
    peers: Ints


class Recorder:
    """Listens at the egress, between cipher and kernel."""

    def __init__(self, egress: Egress) -> None:
        self._egress: Any = egress
        self._batches: list[Batch] = []
        self._bytes = 0
        self._hand_over = egress._hand_over
        self._egress._hand_over = self._record

    def _record(self, arena: SendArena, rows: Ints) -> None:
        if self._bytes < MAX_BYTES:
            batch = Batch(
                arena.rows[rows].copy(),
                arena.lengths[rows].astype(np.int64),
                arena.peers[rows].astype(np.int64),
            )
            self._batches.append(batch)
            self._bytes += batch.rows.nbytes
        self._hand_over(arena, rows)

    def stop(self) -> list[Batch]:
        del self._egress._hand_over
        return self._batches


class _Prepared:
    """A batch with its C pointers, ready to go."""

    def __init__(self, batch: Batch, sessions: list[Any], addresses: npt.NDArray[np.uint8]) -> None:
        self._rows = batch.rows
        self._plain = (batch.lengths - _TAG).astype(np.int32)
        self._lengths = self._plain.copy()
        rows = srtp.ffi.cast("unsigned char *", batch.rows.ctypes.data)
        lengths = srtp.ffi.cast("int *", self._lengths.ctypes.data)
        self._row_pointers = [rows + index * batch.rows.shape[1] for index in range(len(batch.rows))]
        self._length_pointers = [lengths + index for index in range(len(batch.rows))]
        self._sessions = sessions
        self._pointers = batch.rows.ctypes.data + np.arange(len(batch.rows)) * batch.rows.shape[1]
        self._names = addresses.ctypes.data + batch.peers * mmsg.ADDRESS_BYTES
        self._name_lengths = np.full(len(batch.rows), 16, np.int64)
        self.count = len(batch.rows)

    def send(self, sender: mmsg.Sender, fd: int, gso: bool) -> int:
        np.copyto(self._lengths, self._plain)
        results = list(map(srtp.protect, self._sessions, self._row_pointers, self._length_pointers))
        assert not any(results)
        sent, _ = sender.send(
            fd,
            self._pointers,
            self._lengths.astype(np.int64),
            self._names,
            self._name_lengths,
            gso=gso,
        )
        return sent


class Floor:
    """Sends recorded batches round and round, from a socket and under sessions of its own."""

    def __init__(self, batches: list[Batch], peers: PeerTable, gso: bool) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER_BYTES)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._socket.bind(("127.0.0.1", 0))
        self._gso = gso and mmsg.gso_supported(self._socket)
        self._addresses = peers.addresses.copy()
        rows = sorted({peer for batch in batches for peer in batch.peers.tolist()})
        self._sessions = {row: _session() for row in rows}
        self._prepared = [
            _Prepared(batch, [self._sessions[p]._srtp[0] for p in batch.peers.tolist()], self._addresses)
            for batch in batches
        ]
        self._sender = mmsg.Sender(max(batch.count for batch in self._prepared))
        messages = sum(_messages(batch) if self._gso else len(batch.rows) for batch in batches)
        total = sum(batch.count for batch in self._prepared)
        self.shape = (total / len(batches), total / messages)

    def run(self, datagrams: int, window: int, received: Any) -> tuple[int, float]:
        """Send so many, at most ``window`` ahead of what ``received`` counts; returns sent and CPU seconds."""
        sent, first, cpu_s = 0, received.value, 0.0
        while sent < datagrams:
            for batch in self._prepared:
                while sent + batch.count - (received.value - first) > max(window, batch.count):
                    time.sleep(_PAUSE_S)
                before_s = time.process_time()
                sent += batch.send(self._sender, self._socket.fileno(), self._gso)
                cpu_s += time.process_time() - before_s
        return sent, cpu_s


def _messages(batch: Batch) -> int:
    return len(mmsg._runs(batch.lengths, batch.peers))


def _session() -> Session:
    policy = Policy(
        key=bytes(28),
        ssrc_type=Policy.SSRC_ANY_OUTBOUND,
        srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    )
    policy.window_size = srtp.WINDOW_SIZE
    policy.allow_repeat_tx = True  # the same bytes go out again and again
    return Session(policy)
