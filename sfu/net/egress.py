"""The way out: protects the rows of the send arenas in place and hands them to the kernel in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfu.forwarding.arena import SendArena
from sfu.net import mmsg, srtp
from sfu.net.arrays import Int64s
from sfu.net.peers import PeerTable
from sfu.net.udp import UdpPort


@dataclass(slots=True)
class EgressCounters:
    """Totals since the start."""

    packets: int = 0
    octets: int = 0
    dropped: int = 0
    """Not sent: refused by the kernel, or without a destination."""
    refused: int = 0
    """Times that the full socket buffer had no room for a packet."""
    kept: int = 0
    """Small packets of those that were kept for the next turn."""
    unprotected: int = 0
    """Refused by libsrtp."""
    calls: int = 0


KEPT = 1024
"""Small packets kept at most while the socket's buffer is full."""


class Egress:
    """Sends arenas over the engine's UDP ports and TCP peers."""

    def __init__(self, peers: PeerTable, ports: Sequence[UdpPort], *, batch: bool, gso: bool) -> None:
        self._peers = peers
        self._ports = ports
        self._batch = batch and mmsg.supported()
        self._gso = gso
        self._pointers: dict[SendArena, tuple[list[Any], list[Any]]] = {}
        self._sender: mmsg.Sender | None = None
        self._kept: list[tuple[UdpPort, SendArena]] = []
        self._resume: dict[int, int] = {}
        """Where sending of large packets was broken off last, by port: the first peer that got nothing."""
        self._resume_pieces: dict[SendArena, int] = {}
        """The same for what is sent piece by piece, by arena."""
        self.counters = EgressCounters()

    def send(self, arena: SendArena) -> None:
        """Protect and send all rows, then empty the arena."""
        if self._kept:
            self._send_kept()
        count = arena.count
        arena.count = 0
        if not count:
            return
        rows, lengths = self._pointers_of(arena)
        destinations = arena.peers[:count].tolist()
        sessions = list(map(self._peers.srtp.__getitem__, destinations))
        kept: list[int] | None = None
        if not all(sessions):
            kept = [index for index, session in enumerate(sessions) if session is not None]
            self.counters.dropped += count - len(kept) - self._into_taps(arena, count)
            sessions, rows, lengths = ([column[i] for i in kept] for column in (sessions, rows, lengths))
        # map ends with the shortest: sessions.
        results = list(map(srtp.protect, sessions, rows, lengths))
        if any(results):
            self.counters.unprotected += sum(map(bool, results))
            numbers = range(count) if kept is None else kept
            kept = [index for index, result in zip(numbers, results, strict=True) if not result]
        if kept is None:
            if count > mmsg.FEW or not self._hand_over_few(arena, destinations):
                self._hand_over(arena, arena.numbers[:count])
        elif kept:
            self._hand_over(arena, np.array(kept))

    def resume_at(self, arena: SendArena) -> int:
        """The peer to begin with, because it was the first to get nothing last time; -1 if there is none.

        For what is sent piece by piece; :meth:`send` itself begins so with everything else.
        """
        return self._resume_pieces.pop(arena, -1)

    def _into_taps(self, arena: SendArena, count: int) -> int:
        """Hand out what is for peers in our own process, unencrypted; returns how many packets that were."""
        taps = self._peers.taps
        if not taps:
            return 0
        taken = [row for row, peer in enumerate(arena.peers[:count].tolist()) if peer in taps]
        for row in taken:
            taps[int(arena.peers[row])].rtp(arena.rows[row, : arena.lengths[row]].tobytes())
        return len(taken)

    def _hand_over_few(self, arena: SendArena, destinations: list[int]) -> bool:
        """Send all rows without arrays, whose fixed cost is that of FEW datagrams; False for anything unusual."""
        count = len(destinations)
        routes = map(self._peers.routes.__getitem__, destinations)
        indices, names, name_lengths = zip(*routes, strict=True)
        index = indices[0]
        if index < 0 or not self._batch or indices.count(index) < count:
            return False
        if index in self._resume and not arena.urgent:
            return False
        port, sender = self._ports[index], self._sender_for(arena)
        lengths = arena.lengths[:count].tolist()
        octets = sender.octets
        sent, calls = sender.send_few(
            port.fileno, arena.pointers, lengths, names, name_lengths, gso=self._gso and port.gso
        )
        self._count(sent, calls, sender.octets - octets)
        if sent < count:
            self._not_sent(port, arena, arena.numbers[:count], destinations, sent)
        return True

    def _hand_over(self, arena: SendArena, rows: Int64s) -> None:
        """Send the given (protected) rows."""
        destinations = arena.peers[rows]
        if self._peers.tcp_count:
            rows, destinations = self._over_tcp(arena, rows, destinations)
            if not len(rows):
                return
        ports = self._peers.port[destinations]
        first = int(ports[0])
        if first >= 0 and (ports == first).all():
            self._over_udp(self._ports[first], arena, rows, destinations)
            return
        for index, port in enumerate(self._ports):
            chosen = ports == index
            if chosen.any():
                self._over_udp(port, arena, rows[chosen], destinations[chosen])
        self.counters.dropped += int((ports < 0).sum())

    def _over_udp(self, port: UdpPort, arena: SendArena, rows: Int64s, destinations: Any) -> None:
        if not self._batch:
            self._one_by_one(port, arena, rows, destinations)
            return
        sender = self._sender_for(arena)
        if not (arena.urgent or arena.piecewise) and port.index in self._resume:
            rows, destinations = _rotated(rows, destinations, self._resume.pop(port.index))
        octets = sender.octets
        sent, calls = sender.send(
            port.fileno,
            arena.addresses[rows],
            arena.lengths[rows].astype(np.int64),
            self._peers.names[destinations],
            self._peers.address_lengths[destinations],
            gso=self._gso and port.gso,
        )
        self._count(sent, calls, sender.octets - octets)
        if sent < len(rows):
            self._not_sent(port, arena, rows, destinations, sent)

    def _sender_for(self, arena: SendArena) -> mmsg.Sender:
        if self._sender is None or self._sender.size < arena.capacity:
            self._sender = mmsg.Sender(arena.capacity)
        return self._sender

    def _count(self, sent: int, calls: int, octets: int) -> None:
        counters = self.counters
        counters.calls += calls
        counters.packets += sent
        counters.octets += octets

    def _not_sent(self, port: UdpPort, arena: SendArena, rows: Int64s, destinations: Any, sent: int) -> None:
        """Count the rows that were refused; keep those that the full buffer had no room for, if they are small."""
        counters = self.counters
        missing = len(rows) - sent
        stopped_at = self._sender.stopped_at if self._sender is not None else -1
        if stopped_at >= 0:
            counters.refused += len(rows) - stopped_at
            if arena.urgent:
                self._keep(port, arena, rows[stopped_at:])
                missing -= len(rows) - stopped_at
            elif arena.piecewise:
                self._resume_pieces.setdefault(arena, int(destinations[stopped_at]))
            else:
                self._resume[port.index] = int(destinations[stopped_at])
        counters.dropped += missing

    def _keep(self, port: UdpPort, arena: SendArena, rows: Int64s) -> None:
        """Keep small packets that the full buffer had no room for, the newest KEPT of them."""
        kept = SendArena(len(rows), arena.stride)
        kept.rows[:] = arena.rows[rows]
        kept.lengths[:] = arena.lengths[rows]
        kept.peers[:] = arena.peers[rows]
        kept.urgent = True
        self._kept.append((port, kept))
        self.counters.kept += len(rows)
        while sum(arena.capacity for _, arena in self._kept) > KEPT:
            self.counters.dropped += self._kept.pop(0)[1].capacity

    def _send_kept(self) -> None:
        """Try again, before anything newer goes out; what still finds no room stays."""
        waiting, self._kept = self._kept, []
        for port, arena in waiting:
            alive = np.flatnonzero(self._peers.port[arena.peers] == port.index)
            self.counters.dropped += arena.capacity - len(alive)
            if len(alive):
                self._over_udp(port, arena, alive, arena.peers[alive])

    def _one_by_one(self, port: UdpPort, arena: SendArena, rows: Int64s, destinations: Any) -> None:
        """The fallback for systems without ``sendmmsg``."""
        for row, peer in zip(rows.tolist(), destinations.tolist(), strict=True):
            length = int(arena.lengths[row])
            raw = self._peers.addresses[peer, : self._peers.address_lengths[peer]].tobytes()
            if port.send_raw(arena.rows[row, :length].data, raw):
                self.counters.packets += 1
                self.counters.octets += length
            else:
                self.counters.dropped += 1
            self.counters.calls += 1

    def _over_tcp(self, arena: SendArena, rows: Int64s, destinations: Any) -> tuple[Int64s, Any]:
        rest = []
        for index, peer in enumerate(destinations.tolist()):
            connection = self._peers.tcp[peer]
            if connection is None:
                rest.append(index)
                continue
            row = int(rows[index])
            if connection.send(arena.rows[row, : arena.lengths[row]].tobytes()):
                self.counters.packets += 1
                self.counters.octets += int(arena.lengths[row])
            else:
                self.counters.dropped += 1
        return rows[rest], destinations[rest]

    def _pointers_of(self, arena: SendArena) -> tuple[list[Any], list[Any]]:
        """libsrtp wants C pointers to each row and to its length; they are made once per arena."""
        found = self._pointers.get(arena)
        if found is None:
            rows = srtp.ffi.cast("unsigned char *", arena.rows.ctypes.data)
            lengths = srtp.ffi.cast("int *", arena.lengths.ctypes.data)
            found = (
                [rows + index * arena.stride for index in range(arena.capacity)],
                [lengths + index for index in range(arena.capacity)],
            )
            self._pointers[arena] = found
        return found


def _rotated(rows: Int64s, destinations: Any, first: int) -> tuple[Int64s, Any]:
    """Begin with a peer, so that it isn't always the last ones that get nothing; each peer's order stays."""
    if (destinations[1:] < destinations[:-1]).any():
        return rows, destinations
    at = int(np.searchsorted(destinations, first))
    return np.roll(rows, -at), np.roll(destinations, -at)
