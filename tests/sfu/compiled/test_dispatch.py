"""The copies of a batch in one call, into real sockets: everybody gets each once, whatever is in the way of some."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest

from sfu.compiled import places
from sfu.compiled.dispatch import TOGETHER, UNFINISHED, depart
from sfu.compiled.outgoing import LANE_WORDS, LANES
from sfu.forwarding.arena import SendArena
from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.fan import fan_of
from sfu.forwarding.matrix import Lane
from sfu.net import mmsg
from sfu.net.arrays import Int64s
from sfu.net.egress import Egress
from sfu.net.peers import PeerTable
from sfu.net.places import Places
from sfu.net.srtp import AEAD_AES_128_GCM, SrtpKeys
from sfu.net.tcp import TcpPeer
from sfu.net.udp import UdpPort
from tests.harness.forwarding import media
from tests.harness.udp_peers import Connection, Narrow, Peer, Tap, both_families, rtp

pytestmark = pytest.mark.skipif(not mmsg.supported(), reason="there is no sendmmsg")
ROWS = 80


class Ways:
    """Two lanes, and all that is needed to have them emptied."""

    def __init__(self, ports: list[UdpPort], *, gso: bool = True) -> None:
        self.table = PeerTable(capacity=8)
        self.downs = DownTrackTable(capacity=1)
        self.egress = Egress(self.table, batch=True, gso=gso)
        for port in ports:
            self.egress.add_port(port)
        words: Int64s = np.zeros((2 * LANES, LANE_WORDS), np.int64)
        self.lanes = [
            Lane(SendArena(ROWS, stride), self.downs, self.table, self.egress.send, words=words[number])
            for number, stride in enumerate((320, 1536))
        ]
        self.lanes[0].arena.urgent = True
        served = self.egress.serve(self.lanes)
        self.outcome = served[places.OUTCOME]
        nothing = np.zeros(1, np.int64)
        listed = {number: served.get(number, nothing) for number in range(places.OUTCOME + 1)}
        self._places = Places({**listed, places.LANES: words})
        self._numbers = 0

    def add(self, size: int, peers: list[int]) -> bytes:
        """A packet for some peers; returns its payload."""
        rows = [self._down(peer) for peer in peers]
        self._numbers += 1
        payload = bytes([self._numbers]) * size
        header = rtp(0)[:12]
        self.lanes[size > 300].add(
            header, 0, self._numbers, media(payload=payload), fan_of(np.array(rows, np.int32)), 1
        )
        return payload

    def _down(self, peer: int) -> int:
        """A down track; each has its window of numbers."""
        row = self.downs.allocate(peer, 1000 + len(self.downs))
        self.downs.set_payload_types(row, (96, 97))
        return row

    def depart(self, *, gather: bool = False) -> bool:
        """As after a batch; whether anything was written."""
        written: bool = depart(self._places.words, gather, True)
        if written:
            self.egress.departed()
        return written


@pytest.fixture
def ports() -> Iterator[list[UdpPort]]:
    with both_families() as made:
        yield made


@pytest.fixture
def ways(ports: list[UdpPort]) -> Ways:
    made = Ways(ports)
    made.table.srtp.reserve(1000)
    return made


@pytest.fixture
def narrow() -> Iterator[Narrow]:
    made = Narrow()
    yield made
    made.close()


def _payloads(peer: Peer) -> list[bytes]:
    return [packet[12:] for packet in peer.received()]


@pytest.mark.parametrize("gather", [False, True])
def test_all_lanes_go_out_by_all_ports(ways: Ways, ports: list[UdpPort], gather: bool) -> None:
    four, six, only_six = (Peer(ways.table, ports[port]) for port in (0, 1, 1))
    for _ in range(3):
        small = ways.add(60, [four.row, six.row])
        large = [ways.add(700, [four.row, six.row, only_six.row]) for _ in range(2)]
        assert ways.depart(gather=gather)
        assert sorted(_payloads(four)) == sorted(_payloads(six)) == sorted([small, *large])
        assert _payloads(only_six) == large
        assert not any(lane.busy for lane in ways.lanes)
    assert (ways.egress.counters.packets, ways.egress.counters.dropped) == (24, 0)


def test_nothing_is_written_where_there_is_nothing(ways: Ways) -> None:
    assert not ways.depart(gather=True)
    assert ways.egress.counters.calls == 0


def test_few_small_packets_go_in_the_call_of_large_ones(ways: Ways, ports: list[UdpPort]) -> None:
    peer = Peer(ways.table, ports[0])
    for gather in (False, True):
        for size in (700, 60, 700):
            ways.add(size, [peer.row])
        before = ways.egress.counters.calls
        ways.depart(gather=gather)
        assert ways.egress.counters.calls - before == (1 if gather else 2)
        assert len(peer.received()) == 3
    for _ in range(TOGETHER):
        ways.add(60, [peer.row])
    ways.add(700, [peer.row])
    before = ways.egress.counters.calls
    ways.depart(gather=True)
    assert ways.egress.counters.calls - before == 2, "more would make sound wait"


def test_who_is_no_udp_peer_gets_his_otherwise(ways: Ways, ports: list[UdpPort]) -> None:
    four, six, tcp = (Peer(ways.table, ports[port]) for port in (0, 1, 0))
    connection, tap, nobody = Connection(takes=9), Tap(), ways.table.allocate()
    ways.table.use_tcp(tcp.row, cast(TcpPeer, connection))
    ways.table.taps[nobody] = tap
    for count in (1, 2):
        payloads = [ways.add(60, [four.row, tcp.row, nobody, six.row]) for _ in range(count)]
        ways.depart()
        assert _payloads(four) == _payloads(six) == payloads
        assert [packet[12:] for packet in tap.packets] == payloads
        frames = [tcp._pair.unprotect(frame) for frame in connection.frames]
        assert [frame[12:] for frame in frames if frame] == payloads
        connection.frames.clear()
        tap.packets.clear()


def test_what_the_kernel_refuses_costs_the_others_nothing(ways: Ways, ports: list[UdpPort]) -> None:
    four, refused, six = (Peer(ways.table, ports[port]) for port in (0, 0, 1))
    ways.table.addresses[refused.row, 2:4] = 0
    for _ in range(2):
        small, large = (ways.add(size, [four.row, refused.row, six.row]) for size in (60, 700))
        ways.depart()
        for lane in ways.lanes:  # the rest of an unfinished one comes first, then those behind it
            ways.egress.write(lane)
        assert sorted(_payloads(four)) == sorted(_payloads(six)) == sorted([small, large])
    assert (ways.egress.counters.packets, ways.egress.counters.dropped) == (8, 4)


def test_a_lane_without_room_is_left_to_the_caller(ways: Ways, ports: list[UdpPort]) -> None:
    peer = Peer(ways.table, ports[0])
    for _ in range(ROWS + 1):
        ways.add(60, [peer.row])
    assert not ways.depart()
    assert (ways.lanes[0].packets, ways.egress.counters.packets) == (ROWS + 1, 0)
    ways.egress.write(ways.lanes[0])
    assert len(peer.received()) == ROWS + 1


def test_the_table_of_numbers_is_never_more_than_half_full(ports: list[UdpPort]) -> None:
    """Compiled loops can't make it grow; the caller does, and then it has room."""
    ways = Ways(ports)
    peer = Peer(ways.table, ports[0])
    windows = ways.table.srtp._windows
    sent = 0
    while sent < 40:
        ways.add(60, [peer.row])
        ways.depart()
        if ways.lanes[0].busy:
            before = len(windows.table)
            ways.egress.write(ways.lanes[0])
            assert len(windows.table) > before
        sent += 1
        assert 2 * len(windows) < len(windows.table)
    assert len(peer.received()) == sent


def test_what_a_full_buffer_has_no_room_for_is_kept_if_it_is_small(narrow: Narrow) -> None:
    ways = Ways([cast(UdpPort, narrow)], gso=False)
    ways.table.srtp.reserve(10_000)
    for _ in range(ROWS // 2):
        row = ways.table.allocate()
        ways.table.srtp.use(row, SrtpKeys(AEAD_AES_128_GCM, bytes(28), bytes(28)))
        ways.table.port[row] = 0
    everybody = list(range(ROWS // 2))
    while not ways.egress.counters.kept:
        ways.add(60, everybody)
        ways.depart()
        assert ways.outcome[UNFINISHED] == (0 if ways.egress.counters.kept else -1)  # type: ignore[index]
    counters = ways.egress.counters
    sent, kept = counters.packets, counters.kept
    assert (sent + kept) % len(everybody) == 0
    assert ways.egress.waiting
    assert len(narrow.drain()) == sent
    ways.egress.write(ways.lanes[0])
    assert len(narrow.drain()) == min(kept, counters.packets - sent)
    assert counters.dropped == 0


def test_pieces_end_with_a_destination(ways: Ways, ports: list[UdpPort]) -> None:
    peers = [Peer(ways.table, ports[number % 2]) for number in range(5)]
    payloads = [ways.add(700, [peer.row for peer in peers]) for _ in range(3)]
    lane = ways.lanes[1]
    lane.begin()
    counts = []
    while lane.left:
        counts.append(ways.egress.write_piece(lane, 8))
        assert not lane.arena.count
    assert counts == [6, 3, 6]
    assert all(sorted(_payloads(peer)) == sorted(payloads) for peer in peers)


def test_a_piece_for_one_destination_ends_anywhere(ways: Ways, ports: list[UdpPort]) -> None:
    peer = Peer(ways.table, ports[0])
    for _ in range(10):
        ways.add(60, [peer.row])
    lane = ways.lanes[0]
    lane.begin()
    assert [ways.egress.write_piece(lane, 4) for _ in range(3)] == [4, 3, 3]
    assert len(peer.received()) == 10


def test_pieces_begin_with_those_who_got_nothing(narrow: Narrow) -> None:
    ways = Ways([cast(UdpPort, narrow)], gso=False)
    ways.table.srtp.reserve(10_000)
    for _ in range(40):
        row = ways.table.allocate()
        ways.table.srtp.use(row, SrtpKeys(AEAD_AES_128_GCM, bytes(28), bytes(28)))
        ways.table.port[row] = 0
    lane = ways.lanes[1]
    lane.arena.piecewise = True
    firsts = []
    for _ in range(2):
        ways.add(1000, list(range(40)))
        lane.begin(ways.egress.resume_at(lane.arena))
        firsts.append(int(lane._pairs[0, 0]))
        while lane.left:
            ways.egress.write_piece(lane, 20)
        served = len(narrow.drain())
    assert 0 < served < 20, "the port is narrow"
    assert firsts == [0, served]
