"""The way out: hands the rows of the send arenas to the kernel in batches, encrypted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sfu.compiled.copies import protect
from sfu.compiled.dispatch import dispatch
from sfu.compiled.outgoing import KEYLESS, PORT, PROTECTED, REFUSED, ROW_LENGTH, ROW_PEER, ROW_STATE
from sfu.forwarding.arena import SendArena
from sfu.forwarding.matrix import Lane
from sfu.net import mmsg
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
    """Refused by SRTP."""
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
        self._latest = 0
        """Index of the port that was sent from last: the only one, mostly."""
        self._sender = mmsg.Sender(0) if self._batch else None
        self._kept: list[tuple[UdpPort, SendArena]] = []
        self._resume: dict[int, int] = {}
        """Where sending of large packets was broken off last, by port: the first peer that got nothing."""
        self._resume_pieces: dict[SendArena, int] = {}
        """The same for what is sent piece by piece, by arena."""
        self.counters = EgressCounters()

    def send(self, arena: SendArena) -> None:
        """Send all rows, encrypted before if need be, then empty the arena."""
        if self._kept:
            self._send_kept()
        count = arena.count
        if not count:
            return
        if arena.plain:
            arena.unusual += protect(
                arena.rows, count, arena.memory, False, *self._peers.srtp.tables(arena.plain)
            )
        gone = 0
        if count > arena.unusual and self._ports:
            gone = self._over_udp(self._ports[self._latest], arena)
        self._finish(arena, gone)

    def write(self, lane: Lane) -> None:
        """Have a lane write its copies, and send its arena."""
        if not lane.busy and not self._kept:
            return
        arena, sender = lane.arena, self._sender
        if sender is None or not self._ports or self._kept or self._resume or arena.plain or not lane.fits:
            lane.expand()
            self.send(arena)
            return
        port, copies = self._ports[self._latest], lane.copies
        sender = self._sized(sender, arena)
        gso, octets = self._gso and port.gso and sender.gso_works, sender.octets
        self._peers.srtp.reserve(copies)
        unusual = dispatch(lane.places.words, arena.count, port.index, port.fileno, gso, sender.words)
        lane.written(copies, unusual)
        datagrams, sent, calls = sender.outcome(port.fileno, arena.count)
        self._count(port, arena, sender.octets - octets, datagrams, sent, calls)
        self._finish(arena, datagrams)

    def _finish(self, arena: SendArena, gone: int) -> None:
        """Send what did not go by the latest port, ``gone`` rows did, then empty the arena."""
        left = arena.count - gone
        if arena.unusual:
            left -= arena.unusual
            self._count_unusual(arena)
        if left:
            self._elsewhere(arena, left)
        arena.clear()

    @property
    def waiting(self) -> bool:
        """Whether there are packets that the full socket buffer had no room for, and that are to be tried again."""
        return bool(self._kept)

    def resume_at(self, arena: SendArena) -> int:
        """The peer to begin with, because it was the first to get nothing last time; -1 if there is none.

        For what is sent piece by piece; :meth:`send` itself begins so with everything else.
        """
        return self._resume_pieces.pop(arena, -1)

    def _count_unusual(self, arena: SendArena) -> None:
        """Hand out what is for peers in our own process, unencrypted; count what else has no key or was refused."""
        rows = arena.rows[: arena.count]
        self.counters.unprotected += int((rows[:, ROW_STATE] == REFUSED).sum())
        for row in np.flatnonzero(rows[:, ROW_STATE] == KEYLESS).tolist():
            tap = self._peers.taps.get(int(rows[row, ROW_PEER]))
            if tap is None:
                self.counters.dropped += 1
            else:
                tap.rtp(bytes(arena.packet(row)))

    def _elsewhere(self, arena: SendArena, left: int) -> None:
        """Send ``left`` encrypted rows that didn't go by the latest port."""
        latest = self._latest
        for port in self._ports:
            if port.index != latest and left:
                found = self._over_udp(port, arena)
                if found:
                    left -= found
                    self._latest = port.index
        if left:
            self._over_tcp(arena)

    def _over_udp(self, port: UdpPort, arena: SendArena) -> int:
        """Send what goes out by a port; returns how many rows that were."""
        sender = self._sender
        if sender is None:
            return self._one_by_one(port, arena)
        sender = self._sized(sender, arena)
        first = 0
        if self._resume and not (arena.urgent or arena.piecewise):
            first = self._resumed(port, arena)
        octets = sender.octets
        datagrams, sent, calls = sender.send(
            port.fileno,
            arena.rows,
            first,
            arena.count,
            arena.memory,
            self._peers.matrix,
            port.index,
            gso=self._gso and port.gso,
        )
        self._count(port, arena, sender.octets - octets, datagrams, sent, calls)
        return datagrams

    def _sized(self, sender: mmsg.Sender, arena: SendArena) -> mmsg.Sender:
        """The sender, or a new one that is large enough for an arena."""
        if sender.size < arena.capacity:
            sender = self._sender = mmsg.Sender(arena.capacity)
        return sender

    def _count(
        self, port: UdpPort, arena: SendArena, octets: int, datagrams: int, sent: int, calls: int
    ) -> None:
        counters = self.counters
        counters.calls += calls
        counters.packets += sent
        counters.octets += octets
        if sent < datagrams and self._sender is not None:
            self._not_sent(port, arena, self._sender.unsent, datagrams - sent)

    def _resumed(self, port: UdpPort, arena: SendArena) -> int:
        """The row to begin with, so that it isn't always the last ones that get nothing; each peer's order stays."""
        peers = arena.rows[: arena.count, ROW_PEER]
        if port.index not in self._resume or not (self._peers.matrix[peers, PORT] == port.index).any():
            return 0
        peer = self._resume.pop(port.index)
        if (peers[1:] < peers[:-1]).any():
            return 0
        return int(np.searchsorted(peers, peer)) % arena.count

    def _not_sent(self, port: UdpPort, arena: SendArena, unsent: Int64s, missing: int) -> None:
        """Count the rows that were refused; keep those that the full buffer had no room for, if they are small."""
        counters = self.counters
        if len(unsent):
            counters.refused += len(unsent)
            peer = int(arena.rows[unsent[0], ROW_PEER])
            if arena.urgent:
                self._keep(port, arena, unsent)
                missing -= len(unsent)
            elif arena.piecewise:
                self._resume_pieces.setdefault(arena, peer)
            else:
                self._resume[port.index] = peer
        counters.dropped += missing

    def _keep(self, port: UdpPort, arena: SendArena, rows: Int64s) -> None:
        """Keep small packets that the full buffer had no room for, the newest KEPT of them."""
        count = len(rows)
        kept = SendArena(count, arena.stride)
        kept.memory.reshape(count, -1)[:] = arena.memory.reshape(arena.capacity, -1)[rows]
        kept.rows[:] = arena.rows[rows]
        kept.count = count
        kept.urgent = True
        self._kept.append((port, kept))
        self.counters.kept += count
        while sum(arena.count for _, arena in self._kept) > KEPT:
            self.counters.dropped += self._kept.pop(0)[1].count

    def _send_kept(self) -> None:
        """Try again, before anything newer goes out; what still finds no room stays."""
        waiting, self._kept = self._kept, []
        for port, arena in waiting:
            self.counters.dropped += arena.count - self._over_udp(port, arena)

    def _one_by_one(self, port: UdpPort, arena: SendArena) -> int:
        """The fallback for systems without ``sendmmsg``."""
        rows = arena.rows[: arena.count]
        here = (rows[:, ROW_STATE] == PROTECTED) & (self._peers.matrix[rows[:, ROW_PEER], PORT] == port.index)
        found = np.flatnonzero(here).tolist()
        for row in found:
            peer = int(rows[row, ROW_PEER])
            raw = self._peers.addresses[peer, : self._peers.address_lengths[peer]].tobytes()
            if port.send_raw(arena.packet(row), raw):
                self.counters.packets += 1
                self.counters.octets += int(rows[row, ROW_LENGTH])
            else:
                self.counters.dropped += 1
            self.counters.calls += 1
        return len(found)

    def _over_tcp(self, arena: SendArena) -> None:
        """Send what goes over TCP; drop what has no destination."""
        rows = arena.rows[: arena.count]
        nowhere = (rows[:, ROW_STATE] == PROTECTED) & (self._peers.matrix[rows[:, ROW_PEER], PORT] < 0)
        for row in np.flatnonzero(nowhere).tolist():
            connection = self._peers.tcp[rows[row, ROW_PEER]]
            if connection is not None and connection.send(bytes(arena.packet(row))):
                self.counters.packets += 1
                self.counters.octets += int(rows[row, ROW_LENGTH])
            else:
                self.counters.dropped += 1
