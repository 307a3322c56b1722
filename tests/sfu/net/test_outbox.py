"""RTCP on its way out: to whom, under which key, and what becomes of what can't be sent."""

import socket
from collections.abc import Iterator
from typing import cast

import pytest

from sfu.net.outbox import MAX_BYTES, ROWS, Outbox
from sfu.net.peers import PeerTable
from sfu.net.srtp import AEAD_AES_128_GCM, AES128_CM_SHA1_80, SrtpKeys, SrtpPair, SrtpProfile
from sfu.net.tcp import TcpPeer
from sfu.net.udp import UdpPort, _key_of
from sfu.rtp import rtcp
from tests.harness.udp_peers import Connection, both_families


class Peer:
    """A client with a socket and a row of the table."""

    def __init__(self, table: PeerTable, port: UdpPort, profile: SrtpProfile = AEAD_AES_128_GCM) -> None:
        family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((port.host, 0))
        self._socket.setblocking(False)
        key = bytes(profile.key_size + profile.salt_size)
        self.pair = SrtpPair(profile, key, key)
        self.row = table.allocate()
        table.srtp.use(self.row, SrtpKeys(profile, key, key))
        table.use_udp(self.row, port.index, port.raw_address(_key_of(self._socket.getsockname())))

    def received(self) -> list[bytes | None]:
        """What came, decrypted."""
        packets = []
        while True:
            try:
                packets.append(self.pair.unprotect_rtcp(self._socket.recv(2048)))
            except BlockingIOError:
                return packets


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


@pytest.fixture
def outbox(table: PeerTable, ports: list[UdpPort], batch: bool) -> Outbox:
    return Outbox(table, ports, batch=batch)


def _report(ssrc: int, blocks: int = 0) -> bytes:
    block = rtcp.ReportBlock(ssrc, 0, 0, 1, 2, 3, 4)
    return rtcp.build_receiver_report(rtcp.ReceiverReport(ssrc, (block,) * blocks))


def test_each_peer_gets_its_own_in_order_when_flushed(
    table: PeerTable, ports: list[UdpPort], outbox: Outbox
) -> None:
    peers = [
        Peer(table, ports[0]),
        Peer(table, ports[1], AES128_CM_SHA1_80),
        Peer(table, ports[0], AES128_CM_SHA1_80),
    ]
    for number in range(3):
        for peer in peers:
            outbox.put(peer.row, _report(100 * peer.row + number, number))
    assert [peer.received() for peer in peers] == [[], [], []]
    outbox.flush()
    for peer in peers:
        assert peer.received() == [_report(100 * peer.row + number, number) for number in range(3)]
    outbox.flush()
    assert (outbox.packets, outbox.dropped) == (9, 0)


def test_the_longest_packet_fits_and_a_longer_one_is_dropped(
    table: PeerTable, ports: list[UdpPort], outbox: Outbox
) -> None:
    peer = Peer(table, ports[0])
    longest = b"\x80\xcc" + (MAX_BYTES // 4 - 1).to_bytes(2, "big") + bytes(MAX_BYTES - 4)
    outbox.put(peer.row, longest)
    outbox.put(peer.row, longest + bytes(4))
    outbox.flush()
    assert peer.received() == [longest]
    assert (outbox.packets, outbox.dropped) == (1, 1)


def test_what_cannot_be_sent_costs_the_others_nothing(
    table: PeerTable, ports: list[UdpPort], outbox: Outbox
) -> None:
    peer, unreachable = Peer(table, ports[0]), Peer(table, ports[0])
    table.forget_address(unreachable.row)
    before_dtls = table.allocate()
    for row in (before_dtls, peer.row, unreachable.row, before_dtls, peer.row):
        outbox.put(row, _report(row))
    outbox.put(peer.row, b"\x80\xc9")  # too short for libsrtp
    outbox.flush()
    assert peer.received() == [_report(peer.row)] * 2
    assert (outbox.packets, outbox.dropped) == (2, 4)


def test_tcp_peers_get_theirs_over_their_connection(
    table: PeerTable, ports: list[UdpPort], outbox: Outbox
) -> None:
    udp, tcp = Peer(table, ports[0]), Peer(table, ports[0])
    connection = Connection(takes=2)
    table.use_tcp(tcp.row, cast(TcpPeer, connection))
    for number, row in enumerate((tcp.row, udp.row, tcp.row, udp.row, tcp.row)):
        outbox.put(row, _report(number))
    outbox.flush()
    assert udp.received() == [_report(1), _report(3)]
    assert [tcp.pair.unprotect_rtcp(frame) for frame in connection.frames] == [_report(0), _report(2)]
    assert (outbox.packets, outbox.dropped) == (4, 1)


def test_more_than_there_is_room_for(table: PeerTable, ports: list[UdpPort], outbox: Outbox) -> None:
    peer = Peer(table, ports[0])
    for number in range(ROWS + 5):
        outbox.put(peer.row, _report(number))
    assert outbox.packets == ROWS
    assert peer.received() == [_report(number) for number in range(ROWS)]
    outbox.flush()
    assert peer.received() == [_report(number) for number in range(ROWS, ROWS + 5)]


class Tap:
    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def rtp(self, packet: bytes) -> None:
        raise AssertionError

    def rtcp(self, packet: bytes) -> None:
        self.packets.append(packet)


def test_peers_of_our_own_process_get_theirs_in_the_clear(
    table: PeerTable, ports: list[UdpPort], outbox: Outbox
) -> None:
    peer, tap, nobody = Peer(table, ports[0]), Tap(), table.allocate()
    row = table.allocate()
    table.taps[row] = tap
    for number in range(3):
        for to in (row, nobody, peer.row):
            outbox.put(to, _report(number, number))
    outbox.flush()
    assert tap.packets == peer.received() == [_report(number, number) for number in range(3)]
    assert (outbox.packets, outbox.dropped) == (6, 3)
