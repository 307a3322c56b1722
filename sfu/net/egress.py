"""The way out: hands the rows of the send arenas to the kernel in batches, encrypted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfu.compiled import places
from sfu.compiled.batch import CUT, DEPART, GATHER, STAY
from sfu.compiled.copies import protect
from sfu.compiled.dispatch import (
    FIRST,
    GONE,
    GONE_CALLS,
    GONE_OCTETS,
    LEFT,
    OUTCOME_WORDS,
    ROWS,
    STOPPED,
    UNFINISHED,
    UNUSUAL,
    WAY_COLUMNS,
    dispatch,
    dispatch_piece,
)
from sfu.compiled.outgoing import KEYLESS, PORT, PROTECTED, REFUSED, ROW_LENGTH, ROW_PEER, ROW_STATE
from sfu.forwarding.arena import SendArena
from sfu.forwarding.matrix import Lane
from sfu.net import mmsg
from sfu.net.arrays import AnyArray, Int64s
from sfu.net.peers import PeerTable
from sfu.net.places import Place
from sfu.net.udp import UdpPort


@dataclass(slots=True)
class EgressCounters:
    """Totals since the start."""

    packets: int = 0
    octets: int = 0
    dropped: int = 0
    """Not sent: the kernel or a TCP connection did not take them."""
    no_destination: int = 0
    """Not sent, because their peer had no keys or no address, yet or any more."""
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

    def __init__(self, peers: PeerTable, *, batch: bool, gso: bool) -> None:
        self._peers = peers
        self._ports: list[UdpPort] = []
        self._gso = gso
        self._sender = mmsg.Sender(0) if batch and mmsg.supported() else None
        self._ways: Int64s = np.zeros((0, WAY_COLUMNS), np.int64)
        self._outcome: Int64s = np.zeros(OUTCOME_WORDS, np.int64)
        self._word: Any = self._outcome.data
        self._ways_place, self._sender_place = Place(self._ways), Place(self._outcome)
        self._lanes: Sequence[Lane] = ()
        self._kept: list[tuple[UdpPort, SendArena]] = []
        self._resume: dict[int, int] = {}
        """Where sending of large packets was broken off last, by port: the first peer that got nothing."""
        self._resume_pieces: dict[SendArena, int] = {}
        """The same for what is sent piece by piece, by arena."""
        self.counters = EgressCounters()

    def add_port(self, port: UdpPort) -> None:
        """Send by a port, too."""
        self._ports.append(port)
        self._ways = np.array([(one.index, one.fileno, one.gso) for one in self._ports], np.int64)
        self._ways_place.move(self._ways)

    def serve(self, lanes: Sequence[Lane]) -> dict[int, Place | AnyArray]:
        """Have compiled loops empty lanes, whose arenas nobody else has; returns the places that these need."""
        self._lanes = lanes
        if self._sender is not None:
            self._sized(self._sender, max(lane.arena.capacity for lane in lanes))
        return {
            places.LISTS: np.array([lane.places.words.ctypes.data for lane in lanes], np.int64),
            places.WAYS: self._ways_place,
            places.SENDER: self._sender_place,
            places.OUTCOME: self._outcome,
        }

    def onward(self, *, gather: bool) -> int:
        """What compiled loops may do with copies if arenas are empty, as :func:`sfu.compiled.batch.batch` takes it.

        ``gather``: send few small ones with large ones.
        """
        sender = self._sender
        if sender is None or self._kept or self._resume:
            return STAY
        return DEPART | (CUT if self._cuts(sender) else 0) | (GATHER if gather else 0)

    def _cuts(self, sender: mmsg.Sender) -> bool:
        """Whether to use GSO by ports that can."""
        return self._gso and sender.gso_works

    def departed(self) -> None:
        """Compiled loops have emptied lanes as far as that was plain."""
        number = self._word[UNFINISHED]
        if number >= 0:
            self._dispatched(self._lanes[number].arena)
        else:
            self._count_gone()

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
        left, first = count - arena.unusual, self._word[FIRST]
        if left and self._ports:
            left -= self._over_udp(self._ports[first], arena)
        self._finish(arena, left, first)

    def write(self, lane: Lane) -> None:
        """Have a lane write its copies, and send its arena."""
        if not lane.busy and not self._kept:
            return
        arena, sender, word = lane.arena, self._sender, self._word
        if sender is None or not self._ports or self._kept or self._resume or arena.plain or not lane.fits:
            lane.expand()
            self.send(arena)
            return
        sender = self._sized(sender, arena.capacity)
        self._peers.srtp.reserve(lane.copies)
        word[ROWS], word[UNUSUAL] = arena.count, arena.unusual
        dispatch(lane.places.words, self._cuts(sender), self._ways, sender.words, self._outcome)
        lane.written()
        self._dispatched(arena)

    def write_piece(self, lane: Lane, most: int) -> int:
        """Have a lane write some of the copies that were sealed, and send them; returns how many."""
        arena, sender = lane.arena, self._sender
        if sender is None or not self._ports or self._kept or arena.count:
            count = lane.write(most)
            self.send(arena)
            return count
        sender = self._sized(sender, arena.capacity)
        self._peers.srtp.reserve(most)
        where, gso = lane.places.words, self._cuts(sender)
        count = dispatch_piece(where, lane.next, lane.end, most, gso, self._ways, sender.words, self._outcome)
        lane.gone(count)
        self._dispatched(arena)
        return count

    def _dispatched(self, arena: SendArena) -> None:
        """Go on after compiled loops have sent an arena as far as the kernel took it."""
        word, sender = self._word, self._sender
        arena.count, arena.unusual = word[ROWS], word[UNUSUAL]
        self._count_gone()
        left, stopped = word[LEFT], word[STOPPED]
        if stopped >= 0 and sender is not None:
            port, octets = self._ports[stopped], sender.octets
            datagrams, sent, calls = sender.outcome(port.fileno, arena.count)
            self._count(port, arena, sender.octets - octets, datagrams, sent, calls)
            left -= datagrams
        self._finish(arena, left, stopped)

    def _count_gone(self) -> None:
        word, counters = self._word, self.counters
        counters.packets += word[GONE]
        counters.octets += word[GONE_OCTETS]
        counters.calls += word[GONE_CALLS]
        word[GONE] = word[GONE_OCTETS] = word[GONE_CALLS] = 0

    def _finish(self, arena: SendArena, left: int, tried: int) -> None:
        """Send the rows that are left after a port was tried, by those behind it (-1: all have been) and by TCP; then
        empty the arena."""
        if arena.unusual:
            self._count_unusual(arena)
        if left and tried >= 0:
            left -= self._elsewhere(arena, left, tried)
        if left:
            self._over_tcp(arena)
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
                self.counters.no_destination += 1
            else:
                tap.rtp(bytes(arena.packet(row)))

    def _elsewhere(self, arena: SendArena, left: int, tried: int) -> int:
        """Send encrypted rows by the ports behind the one that was tried last; returns how many that were."""
        first, ports = self._word[FIRST], self._ports
        gone = 0
        for number in range(tried + 1, tried + len(ports)):
            index = number % len(ports)
            if index == first or gone == left:
                break
            found = self._over_udp(ports[index], arena)
            if found:
                gone += found
                self._word[FIRST] = index
        return gone

    def _over_udp(self, port: UdpPort, arena: SendArena) -> int:
        """Send what goes out by a port; returns how many rows that were."""
        sender = self._sender
        if sender is None:
            return self._one_by_one(port, arena)
        sender = self._sized(sender, arena.capacity)
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

    def _sized(self, sender: mmsg.Sender, capacity: int) -> mmsg.Sender:
        """The sender, or a new one that is large enough for an arena."""
        if sender.size < capacity:
            sender = self._sender = mmsg.Sender(capacity)
            self._sender_place.move(sender.words)
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
        """Send what goes over TCP; drop what it has no room for, and what has no destination."""
        rows = arena.rows[: arena.count]
        nowhere = (rows[:, ROW_STATE] == PROTECTED) & (self._peers.matrix[rows[:, ROW_PEER], PORT] < 0)
        for row in np.flatnonzero(nowhere).tolist():
            connection = self._peers.tcp[rows[row, ROW_PEER]]
            if connection is None:
                self.counters.no_destination += 1
            elif connection.send(bytes(arena.packet(row))):
                self.counters.packets += 1
                self.counters.octets += int(rows[row, ROW_LENGTH])
            else:
                self.counters.dropped += 1
