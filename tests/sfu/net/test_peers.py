"""The table of peers."""

import ctypes
import socket
import struct
from typing import cast

import pytest

from sfu.compiled.outgoing import NAME, NAME_LENGTH, PORT
from sfu.net.peers import PeerTable, address_of
from sfu.net.srtp import AEAD_AES_128_GCM, SrtpKeys
from sfu.net.tcp import TcpPeer

IPV4 = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s", 4000, bytes([192, 0, 2, 7])) + bytes(8)
IPV6 = (
    struct.pack("=H", socket.AF_INET6)
    + struct.pack("!HI", 5000, 0)
    + socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    + bytes(4)
)
CONNECTION = cast(TcpPeer, object())


def test_rows_are_reused_and_come_clean() -> None:
    table = PeerTable(capacity=2)
    row = table.allocate()
    table.use_udp(row, 3, IPV4)
    table.srtp.use(row, SrtpKeys(AEAD_AES_128_GCM, bytes(28), bytes(28)))
    assert table.srtp.keyed(row)
    table.twcc[row] = 500
    assert len(table) == 1
    table.release(row)
    assert len(table) == 0
    assert table.allocate() == row
    assert table.port[row] == -1
    assert not table.srtp.keyed(row)
    assert table.twcc[row] == 1


def test_a_full_table_grows_and_keeps_what_it_holds() -> None:
    table = PeerTable(capacity=2)
    rows = [table.allocate() for _ in range(2)]
    table.use_udp(rows[0], 1, IPV6)
    table.use_tcp(rows[1], CONNECTION)
    more = [table.allocate() for _ in range(9)]
    assert len({*rows, *more}) == 11
    assert len(table) == 11
    assert address_of(table.addresses[rows[0]].tobytes()) == ("2001:db8::7", 5000)
    assert table.tcp[rows[1]] is CONNECTION
    assert all(table.port[row] == -1 and table.twcc[row] == 1 for row in more)


def test_a_peer_moves_between_udp_and_tcp() -> None:
    table = PeerTable()
    row = table.allocate()
    table.use_udp(row, 0, IPV6)
    table.use_tcp(row, CONNECTION)
    assert (table.port[row], table.tcp[row], table.tcp_count) == (-1, CONNECTION, 1)
    table.use_udp(row, 0, IPV4)
    assert (table.port[row], table.tcp[row], table.tcp_count) == (0, None, 0)
    assert address_of(table.addresses[row].tobytes()) == ("192.0.2.7", 4000)
    assert table.address_lengths[row] == 16
    table.use_tcp(row, CONNECTION)
    table.use_tcp(row, CONNECTION)
    assert table.tcp_count == 1
    table.release(row)
    assert table.tcp_count == 0


@pytest.mark.parametrize(
    ("raw", "address"),
    [
        (IPV4, ("192.0.2.7", 4000)),
        (IPV6, ("2001:db8::7", 5000)),
        (
            IPV6[:8] + bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 7]) + bytes(4),
            ("192.0.2.7", 5000),
        ),
    ],
)
def test_socket_addresses_as_text(raw: bytes, address: tuple[str, int]) -> None:
    assert address_of(raw) == address


def test_rows_keep_their_addresses_when_the_table_grows() -> None:
    table = PeerTable(capacity=2)
    away, moved, over_tcp, unused = (table.allocate() for _ in range(4))
    table.use_udp(away, 0, IPV4)
    table.forget_address(away)
    table.use_udp(moved, 0, IPV4)
    table.use_udp(moved, 2, IPV6)
    table.use_udp(over_tcp, 1, IPV4)
    table.use_tcp(over_tcp, CONNECTION)
    for _ in range(9):
        port, name, size = table.matrix[moved, [PORT, NAME, NAME_LENGTH]].tolist()
        assert (port, ctypes.string_at(name, size)) == (2, IPV6)
        assert table.port[[away, over_tcp, unused]].tolist() == [-1, -1, -1]
        table.allocate()
