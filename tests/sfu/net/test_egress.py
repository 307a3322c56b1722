"""The way out, into real sockets: keys per peer, batches, the fallback, TCP, and what can't be sent."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest

from sfu.forwarding.arena import SendArena
from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.fan import Fan, fan_of
from sfu.forwarding.matrix import Lane
from sfu.net import egress as egress_module
from sfu.net import mmsg
from sfu.net.egress import Egress
from sfu.net.peers import PeerTable
from sfu.net.srtp import AEAD_AES_128_GCM, AES128_CM_SHA1_80, SrtpKeys
from sfu.net.tcp import TcpPeer
from sfu.net.udp import UdpPort
from tests.harness.forwarding import media
from tests.harness.udp_peers import Connection, Narrow, Peer, Tap, both_families, rtp


@pytest.fixture(params=["batches", "singly"])
def batch(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "batches")


@pytest.fixture
def table() -> PeerTable:
    return PeerTable(capacity=4)


@pytest.fixture
def ports(batch: bool) -> Iterator[list[UdpPort]]:
    with both_families(batch=batch) as made:
        yield made


def _egress(table: PeerTable, ports: list[UdpPort], *, batch: bool, gso: bool) -> Egress:
    made = Egress(table, batch=batch, gso=gso)
    for port in ports:
        made.add_port(port)
    return made


@pytest.fixture
def egress(table: PeerTable, ports: list[UdpPort], batch: bool) -> Egress:
    return _egress(table, ports, batch=batch, gso=True)


def _arena(*packets: tuple[int, bytes]) -> SendArena:
    arena = SendArena(64, 1536)
    for row, packet in packets:
        arena.append(row, packet)
    return arena


def test_each_peer_gets_its_packets_under_its_own_key(
    table: PeerTable, ports: list[UdpPort], egress: Egress
) -> None:
    peers = [
        Peer(table, ports[0]),
        Peer(table, ports[0], AES128_CM_SHA1_80),
        Peer(table, ports[1]),
        Peer(table, ports[1], AES128_CM_SHA1_80),
        Peer(table, ports[0]),  # the table has grown meanwhile
    ]
    packets = {
        peer.row: [rtp(number, 60 + peer.row + number % 2) for number in range(1, 9)] for peer in peers
    }
    arena = _arena(*((row, packet) for row, column in packets.items() for packet in column))
    egress.send(arena)
    assert arena.count == 0
    for peer in peers:
        assert peer.received() == packets[peer.row]
    assert (egress.counters.packets, egress.counters.dropped, egress.counters.unprotected) == (40, 0, 0)


def test_octets_are_those_on_the_wire(table: PeerTable, ports: list[UdpPort], egress: Egress) -> None:
    peer = Peer(table, ports[0])
    egress.send(_arena((peer.row, rtp(1, 100)), (peer.row, rtp(2, 100))))
    assert egress.counters.octets == 2 * 116
    assert len(peer.received()) == 2


def test_an_arena_is_used_again(table: PeerTable, ports: list[UdpPort], egress: Egress) -> None:
    peer = Peer(table, ports[0])
    arena = _arena((peer.row, rtp(1, 1400)))
    egress.send(arena)
    arena.append(peer.row, rtp(2, 50))
    egress.send(arena)
    egress.send(arena)  # empty
    assert peer.received() == [rtp(1, 1400), rtp(2, 50)]


def test_peers_without_keys_or_address_cost_the_others_nothing(
    table: PeerTable, ports: list[UdpPort], egress: Egress
) -> None:
    peer, unreachable = Peer(table, ports[0]), Peer(table, ports[0])
    table.forget_address(unreachable.row)
    before_dtls = table.allocate()
    egress.send(
        _arena(
            (before_dtls, rtp(1)),
            (peer.row, rtp(1)),
            (unreachable.row, rtp(1)),
            (before_dtls, rtp(2)),
            (peer.row, rtp(2)),
        )
    )
    assert peer.received() == [rtp(1), rtp(2)]
    assert unreachable.received() == []
    assert (egress.counters.packets, egress.counters.no_destination, egress.counters.dropped) == (2, 3, 0)


def test_nobody_has_keys(table: PeerTable, ports: list[UdpPort], egress: Egress) -> None:
    egress.send(_arena((table.allocate(), rtp(1))))
    assert (egress.counters.packets, egress.counters.no_destination) == (0, 1)


def test_a_repeated_number_is_refused_by_srtp_and_counted(
    table: PeerTable, ports: list[UdpPort], egress: Egress
) -> None:
    """It would reuse a nonce."""
    peer = Peer(table, ports[0])
    egress.send(_arena((peer.row, rtp(1)), (peer.row, rtp(1, 200)), (peer.row, rtp(2))))
    assert peer.received() == [rtp(1), rtp(2)]
    assert (egress.counters.packets, egress.counters.unprotected) == (2, 1)


def test_tcp_peers_get_theirs_over_their_connection(
    table: PeerTable, ports: list[UdpPort], egress: Egress
) -> None:
    udp, tcp = Peer(table, ports[0]), Peer(table, ports[0])
    connection = Connection(takes=2)
    table.use_tcp(tcp.row, cast(TcpPeer, connection))
    rows = [tcp.row, udp.row, tcp.row, udp.row, tcp.row]
    egress.send(_arena(*((row, rtp(number)) for number, row in enumerate(rows, 1))))
    assert udp.received() == [rtp(2), rtp(4)]
    assert tcp.received() == []
    assert [tcp._pair.unprotect(frame) for frame in connection.frames] == [rtp(1), rtp(3)]
    assert (egress.counters.packets, egress.counters.octets, egress.counters.dropped) == (4, 4 * 116, 1)


def test_only_tcp_peers(table: PeerTable, ports: list[UdpPort], egress: Egress) -> None:
    tcp = Peer(table, ports[0])
    connection = Connection(takes=9)
    table.use_tcp(tcp.row, cast(TcpPeer, connection))
    egress.send(_arena((tcp.row, rtp(1))))
    assert len(connection.frames) == 1


def test_what_the_kernel_refuses_counts_as_dropped_only(
    table: PeerTable, ports: list[UdpPort], egress: Egress
) -> None:
    refused, peer = Peer(table, ports[0]), Peer(table, ports[0])
    table.addresses[refused.row, 2:4] = 0  # port 0
    egress.send(_arena((refused.row, rtp(1, 500)), (peer.row, rtp(1, 100))))
    assert peer.received() == [rtp(1, 100)]
    assert (egress.counters.packets, egress.counters.octets, egress.counters.dropped) == (1, 116, 1)


@pytest.fixture
def narrow() -> Iterator[Narrow]:
    made = Narrow()
    yield made
    made.close()


@pytest.fixture
def jammed(table: PeerTable, narrow: Narrow) -> Egress:
    """An egress to a dozen peers over the narrow port."""
    for _ in range(12):
        row = table.allocate()
        table.srtp.use(row, SrtpKeys(AEAD_AES_128_GCM, bytes(28), bytes(28)))
        table.port[row] = 0
    return _egress(table, [cast(UdpPort, narrow)], batch=True, gso=False)


def _fill(egress: Egress) -> None:
    """Send until not even a small packet has room."""
    for size in (1000, 60):
        egress.send(_arena(*((0, rtp(n, size, ssrc=size)) for n in range(1, 41))))


def _ssrcs(packets: list[bytes]) -> list[int]:
    return [int.from_bytes(packet[8:12], "big") for packet in packets]


@pytest.mark.skipif(not mmsg.supported(), reason="the system has no sendmmsg")
class TestAFullBuffer:
    def test_what_has_no_room_is_dropped_and_counted(self, jammed: Egress, narrow: Narrow) -> None:
        jammed.send(_arena(*((0, rtp(n, 1000)) for n in range(1, 21))))
        sent = len(narrow.drain())
        assert 0 < sent < 20
        counters = jammed.counters
        assert (counters.packets, counters.refused, counters.dropped) == (sent, 20 - sent, 20 - sent)

    def test_small_packets_are_kept_and_go_first_next_time(self, jammed: Egress, narrow: Narrow) -> None:
        small = _arena(*((0, rtp(n, 60, ssrc=1)) for n in range(1, 4)))
        small.urgent = True
        _fill(jammed)
        jammed.send(small)
        assert jammed.counters.kept == 3
        assert 1 not in _ssrcs(narrow.drain())
        jammed.send(_arena((1, rtp(1, 1000, ssrc=3))))
        assert _ssrcs(narrow.drain()) == [1, 1, 1, 3]
        assert jammed.counters.dropped == jammed.counters.refused - 3

    def test_no_more_are_kept_than_the_limit_the_newest(
        self, jammed: Egress, narrow: Narrow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(egress_module, "KEPT", 4)
        _fill(jammed)
        dropped = jammed.counters.dropped
        for number in range(1, 7):
            arena = _arena((1, rtp(number, 60, ssrc=number)))
            arena.urgent = True
            jammed.send(arena)
        narrow.drain()
        jammed.send(_arena())
        assert _ssrcs(narrow.drain()) == [3, 4, 5, 6]
        assert jammed.counters.dropped == dropped + 2

    def test_kept_packets_of_a_peer_that_is_gone_are_dropped(
        self, table: PeerTable, jammed: Egress, narrow: Narrow
    ) -> None:
        _fill(jammed)
        arena = _arena((1, rtp(1, 60)), (0, rtp(21, 60, ssrc=2)))
        arena.urgent = True
        jammed.send(arena)
        narrow.drain()
        table.forget_address(1)
        jammed.send(_arena())
        assert _ssrcs(narrow.drain()) == [2]

    def test_next_time_those_come_first_who_got_nothing(self, jammed: Egress, narrow: Narrow) -> None:
        def frame(number: int) -> SendArena:
            return _arena(*((peer, rtp(number, 1000, ssrc=peer)) for peer in range(12)))

        jammed.send(frame(1))
        served = _ssrcs(narrow.drain())
        assert served == list(range(len(served)))
        jammed.send(frame(2))
        assert _ssrcs(narrow.drain())[0] == len(served)

    def test_what_is_sent_in_pieces_is_told_who_got_nothing_first(
        self, jammed: Egress, narrow: Narrow
    ) -> None:
        def frame(number: int) -> SendArena:
            arena = _arena(*((peer, rtp(number, 1000, ssrc=peer)) for peer in range(12)))
            arena.piecewise = True
            return arena

        piece = frame(1)
        jammed.send(piece)
        served = len(narrow.drain())
        jammed.send(frame(2))
        assert _ssrcs(narrow.drain())[0] == 0, "each piece as it is"
        assert jammed.resume_at(piece) == served
        assert jammed.resume_at(piece) == -1

    def test_a_lane_begins_with_those_who_got_nothing(self, jammed: Egress, narrow: Narrow) -> None:
        lane, fan = _lane(jammed._peers, jammed)

        def send(number: int) -> list[int]:
            lane.add(rtp(0)[:12], 0, number, media(payload=bytes(1000)), fan, 1)
            jammed.write(lane)
            return _ssrcs(narrow.drain())

        served = send(1)
        assert served == list(range(70, 70 + len(served)))
        missing = fan.size - len(served)
        assert (jammed.counters.refused, jammed.counters.dropped) == (missing, missing)
        assert send(2)[0] == served[-1] + 1


def test_peers_of_our_own_process_get_theirs_in_the_clear(
    table: PeerTable, ports: list[UdpPort], egress: Egress
) -> None:
    peer, tap, nobody = Peer(table, ports[0]), Tap(), table.allocate()
    row = table.allocate()
    table.taps[row] = tap
    packets = [rtp(number, 60 + number) for number in range(4)]
    egress.send(_arena(*((to, packet) for packet in packets for to in (row, peer.row, nobody))))
    assert tap.packets == packets
    assert peer.received() == packets
    assert (egress.counters.packets, egress.counters.no_destination) == (4, 4)
    table.release(row)
    egress.send(_arena((row, packets[0])))
    assert len(tap.packets) == 4


# --- what lanes are given ---


def _lane(table: PeerTable, egress: Egress, stride: int = 1536) -> tuple[Lane, Fan]:
    """A lane, and a fan-out to all rows of the table that are in use."""
    downs = DownTrackTable(capacity=1)
    lane = Lane(SendArena(64, stride), downs, table, egress.send)
    rows = []
    for peer in range(len(table)):
        rows.append(downs.allocate(peer, 70 + peer))
        downs.set_payload_types(rows[-1], (96, 97))
    return lane, fan_of(np.array(rows, np.int32))


def test_a_lane_writes_and_sends_to_everybody(table: PeerTable, ports: list[UdpPort], egress: Egress) -> None:
    four, six, refused, tcp = (Peer(table, ports[port]) for port in (0, 1, 0, 0))
    table.addresses[refused.row, 2:4] = 0
    connection, tap, nobody = Connection(takes=9), Tap(), table.allocate()
    table.use_tcp(tcp.row, cast(TcpPeer, connection))
    table.taps[nobody] = tap
    lane, fan = _lane(table, egress)
    for turn in range(1, 4):
        sent = [rtp(10 * turn + number, 100)[12:] for number in range(turn)]
        for number, payload in enumerate(sent):
            lane.add(rtp(0)[:12], 0, 10 * turn + number, media(payload=payload), fan, 1)
        sent_again = [rtp(99, 50)] if turn == 2 else []
        for packet in sent_again:
            lane.arena.append(four.row, packet)
        egress.write(lane)
        assert not lane.busy
        assert [packet[12:] for packet in four.received()] == [*(one[12:] for one in sent_again), *sent]
        assert [packet[12:] for packet in six.received()] == sent
        assert [packet[12:] for packet in tap.packets] == sent
        frames = [tcp._pair.unprotect(frame) for frame in connection.frames]
        assert [frame[12:] for frame in frames if frame] == sent
        connection.frames.clear()
        tap.packets.clear()
    egress.write(lane)
    # Three to each of four, and one sent again; six were for the one whom the kernel refuses.
    assert (egress.counters.packets, egress.counters.dropped) == (6 * 3 + 1, 6)


def test_a_lane_with_more_copies_than_there_is_room_for(
    table: PeerTable, ports: list[UdpPort], egress: Egress
) -> None:
    peers = [Peer(table, ports[0]) for _ in range(3)]
    lane, fan = _lane(table, egress)
    payloads = [rtp(number, 60)[12:] for number in range(40)]
    for number, payload in enumerate(payloads):
        lane.add(rtp(0)[:12], 0, number, media(payload=payload), fan, 1)
    egress.write(lane)
    for peer in peers:
        assert [packet[12:] for packet in peer.received()] == payloads
