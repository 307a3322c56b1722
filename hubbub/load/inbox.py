"""The one reader of all clients' sockets: every few milliseconds it drains them and counts in bulk."""

import asyncio
import select
import time
from typing import Any, Protocol

import numpy as np

from hubbub.load.arena import Arena
from hubbub.load.streams import Int64s, StreamTable
from sfu.net.srtp import ffi

TICK_S = 0.010
"""Between two rounds; kernel timestamps tell when packets really came."""
ROWS = 8192
STRIDE = 2048

_MIN_RTP = 12


class Receiving(Protocol):
    """A client as the inbox sees it."""

    def control(self, datagram: bytes, now: float) -> None:
        """Take what is not RTP."""

    def began(self, ssrc: int, payload_type: int, at: float) -> bool:
        """A stream's first packet came. Whether the stream takes part in transport-wide feedback."""

    def verify(self, pointer: Any, size: int) -> None:
        """Check a packet's authentication, in place."""

    def transport_packet(self, packet: memoryview, arrival_us: int) -> None:
        """Take a packet of a stream with transport-wide feedback."""


class Inbox:
    """Drains sockets into ``table`` while :meth:`start` to :meth:`stop`."""

    def __init__(self, table: StreamTable, *, verify_all: bool) -> None:
        self.table = table
        self._verify_all = verify_all
        self._arena = Arena(ROWS, STRIDE)
        self._bytes = self._arena.rows.data.cast("B")
        self._epoll = select.epoll()
        self._clients: dict[int, tuple[int, Receiving]] = {}  # by file descriptor
        self._owners: dict[int, Receiving] = {}
        self._with_feedback = np.zeros(0, np.bool_)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._epoll.close()

    def add(self, fd: int, owner: int, client: Receiving) -> None:
        """Read this socket from now on."""
        self._clients[fd] = (owner, client)
        self._owners[owner] = client
        self._epoll.register(fd, select.EPOLLIN)

    def remove(self, fd: int) -> None:
        """Stop reading a socket, before it is closed."""
        if fd in self._clients:
            owner, _ = self._clients.pop(fd)
            del self._owners[owner]
            self._epoll.unregister(fd)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        full = self._drain(time.monotonic())
        self._timer = loop.call_later(0 if full else TICK_S, self._tick)

    def _drain(self, now: float) -> bool:
        """Take a round of all sockets that have something; whether the arena was too small for it."""
        arena = self._arena
        arena.clear()
        owners: list[int] = []
        counts: list[int] = []
        for fd, _ in self._epoll.poll(0, max(len(self._clients), 1)):
            count = arena.fill(fd)
            owners.append(self._clients[fd][0])
            counts.append(count)
            if arena.used == arena.size:
                break
        if arena.used:
            self._sort(np.repeat(np.array(owners, np.int64), counts), now)
        return arena.used == arena.size

    def _sort(self, owners: Int64s, now: float) -> None:
        arena = self._arena
        used = arena.used
        unix_us = time.time_ns() // 1000
        _, sizes, arrivals = arena.columns(used, unix_us)
        first, second = arena.rows[:used, 0], arena.rows[:used, 1]
        media = (first >= 128) & (first <= 191) & ((second < 192) | (second > 223)) & (sizes >= _MIN_RTP)
        rows = np.flatnonzero(media)
        if len(rows):
            self._count(rows, owners[rows], sizes[rows], arrivals[rows], now - unix_us / 1e6)
        for row in np.flatnonzero(~media).tolist():
            if (client := self._owners.get(int(owners[row]))) is not None and sizes[row]:
                client.control(arena.rows[row, : sizes[row]].tobytes(), now)

    def _count(self, rows: Int64s, owners: Int64s, sizes: Int64s, arrivals: Int64s, offset_s: float) -> None:
        """Count RTP packets; ``offset_s`` turns Unix time into the monotonic clock's."""
        headers = self._arena.rows[rows, :12].astype(np.int64)
        sequences = headers[:, 2] << 8 | headers[:, 3]
        ssrcs = headers[:, 8] << 24 | headers[:, 9] << 16 | headers[:, 10] << 8 | headers[:, 11]
        slots, begun, sample = self.table.add(owners, ssrcs, sequences, sizes)
        if begun:
            self._with_feedback.resize(max(self.table.count, 64) * 2, refcheck=False)
        for slot, row in begun:
            client = self._owners[int(owners[row])]
            at = offset_s + int(arrivals[row]) / 1e6
            payload_type = int(headers[row, 1]) & 0x7F
            self._with_feedback[slot] = client.began(int(ssrcs[row]), payload_type, at)
        for row in np.flatnonzero(self._with_feedback[slots] & (slots >= 0)).tolist():
            start = int(rows[row]) * STRIDE
            packet = self._bytes[start : start + int(sizes[row])]
            self._owners[int(owners[row])].transport_packet(packet, int(arrivals[row]))
        chosen = slots >= 0 if self._verify_all else sample
        for row in np.flatnonzero(chosen).tolist():
            pointer = ffi.cast("void *", self._arena.address(int(rows[row])))
            self._owners[int(owners[row])].verify(pointer, int(sizes[row]))
