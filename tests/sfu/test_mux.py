"""Whose datagram is it: addresses that ICE validated, user fragments, and what is left when either is gone."""

from dataclasses import dataclass, field
from typing import cast

import pytest

from sfu.mux import Mux
from sfu.net import stun
from sfu.net.credentials import Credentials
from sfu.net.ice import MAX_ADDRESSES, SILENT_AFTER_S, IceLite
from sfu.net.peers import PeerTable, address_of
from sfu.net.tcp import TcpPeer
from sfu.net.udp import AddressKey, UdpPort, _key_of
from sfu.peer.transport import Transport


class Port:
    """Stands in for a UDP port: it only keeps what is sent."""

    def __init__(self, index: int = 0) -> None:
        self.index = index
        self.sent: list[tuple[bytes, AddressKey]] = []
        self.is_full = False

    def raw_address(self, key: AddressKey) -> bytes:
        return key.to_bytes(8, "little").ljust(16, b"\0") if isinstance(key, int) else key

    def send(self, data: bytes, key: AddressKey) -> bool:
        if not self.is_full:
            self.sent.append((data, key))
        return not self.is_full


class Connection(TcpPeer):
    """An ICE-TCP connection that only keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(lambda peer, data: None, lambda peer: True, lambda peer: None)
        self.host, self.port = "192.0.2.9", 4000
        self.sent: list[bytes] = []
        self.is_valid = self.is_closed = self.is_full = False

    def validated(self) -> None:
        self.is_valid = True

    def send(self, data: bytes) -> bool:
        if not self.is_full:
            self.sent.append(data)
        return not self.is_full

    def close(self) -> None:
        self.is_closed = True


@dataclass(eq=False)
class Peer:
    """As much of a transport as the mux looks at."""

    name: str
    row: int
    ice: IceLite = field(init=False)

    def __post_init__(self) -> None:
        self.ice = IceLite(_credentials(self.name), 0.0)

    def check(self, data: bytes, key: object, host: str, port: int, now: float) -> bytes | None:
        return self.ice.receive(data, key, host, port, now)  # type: ignore[arg-type]


class Bench:
    """A mux with one port, and transports on it."""

    def __init__(self) -> None:
        self.peers = PeerTable()
        self.mux = Mux(self.peers)
        self.port = Port()
        self.mux.add_port(cast(UdpPort, self.port))

    def add(self, name: str) -> Peer:
        peer = Peer(name, self.peers.allocate())
        self.mux.register(cast(Transport, peer))
        return peer

    def owner(self, key: AddressKey) -> object:
        return self.mux.by_udp[0].get(key)

    def udp(self, key: AddressKey, data: bytes, now: float = 0.0) -> bytes | None:
        """A STUN datagram by UDP; the answer."""
        before = len(self.port.sent)
        self.mux.udp_check(cast(UdpPort, self.port), key, data, now)
        if len(self.port.sent) == before:
            return None
        data, to = self.port.sent[-1]
        assert to == key
        return data

    def destination(self, peer: Peer) -> object:
        """Where media for a transport goes now."""
        if self.peers.tcp[peer.row] is not None:
            return self.peers.tcp[peer.row]
        if self.peers.port[peer.row] < 0:
            return None
        return address_of(self.peers.addresses[peer.row].tobytes())


def _credentials(name: str) -> Credentials:
    return Credentials(name, f"{name}-password-of-22-chars")


def _check(name: str, *, nominate: bool = False) -> bytes:
    credentials = _credentials(name)
    return stun.binding_request(
        b"transaction1",
        f"{credentials.ufrag}:them",
        credentials.pwd.encode(),
        priority=1,
        controlling=1,
        use_candidate=nominate,
    )


def _address(number: int) -> AddressKey:
    return _key_of((f"192.0.2.{number}", 4000))


A, B = _address(1), _address(2)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_check_validates_its_address_and_is_answered(bench: Bench) -> None:
    alice = bench.add("alice")
    assert bench.destination(alice) is None
    response = bench.udp(A, _check("alice"))
    assert response is not None
    assert stun.parse(response).mapped_address == ("192.0.2.1", 4000)
    assert bench.owner(A) is alice
    assert bench.destination(alice) == ("192.0.2.1", 4000)


def test_an_ipv6_address(bench: Bench) -> None:
    alice = bench.add("alice")
    key = _key_of(("2001:db8::1", 4000, 0, 0))
    response = bench.udp(key, _check("alice"))
    assert response is not None
    assert stun.parse(response).mapped_address == ("2001:db8::1", 4000)
    assert bench.destination(alice) == ("2001:db8::1", 4000)


@pytest.mark.parametrize(
    "data",
    [
        _check("nobody"),
        _check("alice")[:-12] + bytes(12),
        b"\0\1\0\0" + bytes(16),
        b"\0\1",
        b"\1\1" + _check("alice")[2:],
    ],
    ids=["another's", "unsigned", "empty", "short", "a response"],
)
def test_what_is_no_check_of_ours_is_not_answered(bench: Bench, data: bytes) -> None:
    bench.add("alice")
    assert bench.udp(A, data) is None
    assert bench.owner(A) is None


def test_transports_are_told_apart_by_user_fragment(bench: Bench) -> None:
    alice, bob = bench.add("alice"), bench.add("bob")
    bench.udp(A, _check("alice"))
    bench.udp(B, _check("bob"))
    assert (bench.owner(A), bench.owner(B)) == (alice, bob)


def test_media_follows_the_nominated_address(bench: Bench) -> None:
    alice = bench.add("alice")
    bench.udp(A, _check("alice", nominate=True))
    bench.udp(B, _check("alice"))
    assert bench.destination(alice) == ("192.0.2.1", 4000)
    bench.udp(B, _check("alice", nominate=True))
    assert bench.destination(alice) == ("192.0.2.2", 4000)
    assert (bench.owner(A), bench.owner(B)) == (alice, alice)


def test_an_address_that_is_evicted_is_forgotten(bench: Bench) -> None:
    alice = bench.add("alice")
    bench.udp(A, _check("alice", nominate=True))
    for number in range(10, 10 + MAX_ADDRESSES):
        bench.udp(_address(number), _check("alice"))
    assert bench.owner(A) is alice  # it is in use
    assert bench.owner(_address(10)) is None
    assert len(bench.mux.by_udp[0]) == MAX_ADDRESSES


def test_new_credentials_are_known_and_the_old_ones_until_they_are_used(bench: Bench) -> None:
    alice = bench.add("alice")
    bench.udp(A, _check("alice"))
    alice.ice.restart(_credentials("alice2"))
    bench.mux.register(cast(Transport, alice))
    assert bench.udp(A, _check("alice")) is not None
    assert bench.udp(B, _check("alice2")) is not None
    assert bench.destination(alice) == ("192.0.2.2", 4000)
    assert bench.udp(A, _check("alice")) is None
    alice.ice.restart(_credentials("alice3"))
    bench.mux.register(cast(Transport, alice))
    assert sorted(bench.mux._by_ufrag) == ["alice2", "alice3"]


def test_nothing_is_left_of_a_transport_that_is_gone(bench: Bench) -> None:
    alice = bench.add("alice")
    connection = Connection()
    bench.udp(A, _check("alice"))
    bench.mux.tcp_check(connection, _check("alice"), 0.0)
    bench.mux.unregister(cast(Transport, alice))
    assert connection.is_closed
    assert bench.mux.by_udp == [{}]
    for left in (bench.mux.by_tcp, bench.mux._by_ufrag, bench.mux._ufrags):
        assert not left
    assert bench.udp(A, _check("alice")) is None
    assert bench.mux.strangers == 1
    bench.mux.tcp_closed(connection)


def test_an_address_changes_hands_only_when_its_owner_is_silent(bench: Bench) -> None:
    alice, bob = bench.add("alice"), bench.add("bob")
    bench.udp(A, _check("alice"), 0.0)
    bench.udp(A, _check("bob"), 1.0)
    assert bench.owner(A) is alice
    bench.udp(A, _check("bob"), SILENT_AFTER_S)
    assert bench.owner(A) is bob
    bench.mux.unregister(cast(Transport, alice))
    assert bench.owner(A) is bob


# --- TCP ---


def test_a_check_by_tcp_lets_the_connection_stay(bench: Bench) -> None:
    alice = bench.add("alice")
    connection = Connection()
    bench.mux.tcp_check(connection, _check("alice"), 0.0)
    assert connection.is_valid
    assert stun.parse(connection.sent[0]).mapped_address == ("192.0.2.9", 4000)
    assert bench.mux.by_tcp == {connection: alice}
    assert bench.destination(alice) is connection


def test_a_bad_check_by_tcp_does_not(bench: Bench) -> None:
    bench.add("alice")
    connection = Connection()
    bench.mux.tcp_check(connection, _check("mallory"), 0.0)
    assert not connection.is_valid
    assert connection.sent == []
    assert not bench.mux.by_tcp


def test_when_the_connection_closes_media_goes_to_another_address(bench: Bench) -> None:
    alice = bench.add("alice")
    connection = Connection()
    bench.udp(A, _check("alice"))
    bench.mux.tcp_check(connection, _check("alice", nominate=True), 0.0)
    assert bench.destination(alice) is connection
    bench.mux.tcp_closed(connection)
    assert bench.destination(alice) == ("192.0.2.1", 4000)
    assert not bench.mux.by_tcp
    assert alice.ice.addresses == ((0, A),)


def test_when_the_only_connection_closes_there_is_nowhere_to_send(bench: Bench) -> None:
    alice = bench.add("alice")
    connection = Connection()
    bench.mux.tcp_check(connection, _check("alice"), 0.0)
    bench.mux.tcp_closed(connection)
    assert bench.destination(alice) is None
    bench.mux.send(cast(Transport, alice), b"lost")
    assert len(connection.sent) == 1
    again = Connection()
    bench.mux.tcp_check(again, _check("alice"), 1.0)
    assert bench.destination(alice) is again


def test_a_connection_that_is_evicted_is_closed(bench: Bench) -> None:
    alice = bench.add("alice")
    first = Connection()
    bench.udp(A, _check("alice", nominate=True))
    bench.mux.tcp_check(first, _check("alice"), 0.0)
    for _ in range(MAX_ADDRESSES):
        bench.mux.tcp_check(Connection(), _check("alice"), 1.0)
    assert first.is_closed
    assert len(bench.mux.by_tcp) == MAX_ADDRESSES - 1
    bench.mux.tcp_closed(first)
    assert bench.destination(alice) == ("192.0.2.1", 4000)


def test_datagrams_of_the_transport_go_where_its_media_goes(bench: Bench) -> None:
    alice = bench.add("alice")
    transport = cast(Transport, alice)
    bench.mux.send(transport, b"too early")
    assert bench.port.sent == []
    bench.udp(A, _check("alice"))
    bench.mux.send(transport, b"by UDP")
    assert bench.port.sent[-1] == (b"by UDP", A)
    connection = Connection()
    bench.mux.tcp_check(connection, _check("alice"), 0.0)
    bench.mux.send(transport, b"by TCP")
    assert connection.sent[-1] == b"by TCP"


def test_what_is_not_taken_is_counted(bench: Bench) -> None:
    alice, connection = bench.add("alice"), Connection()
    transport = cast(Transport, alice)
    bench.mux.send(transport, b"without an address")
    bench.udp(A, _check("alice"))
    bench.mux.send(transport, b"sent")
    assert bench.mux.unsent == 1
    bench.port.is_full = connection.is_full = True
    bench.mux.send(transport, b"by UDP")
    assert bench.udp(A, _check("alice")) is None
    bench.mux.tcp_check(connection, _check("alice", nominate=True), 0.0)
    bench.mux.send(transport, b"by TCP")
    assert bench.mux.unsent == 1 + 4
