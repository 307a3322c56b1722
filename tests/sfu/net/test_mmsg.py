"""Batches of datagrams, over real sockets of the loopback."""

import socket
import struct
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from sfu.compiled.outgoing import NAME, NAME_LENGTH, PROTECTED, ROW_COLUMNS
from sfu.net import mmsg
from sfu.net.arrays import Int32s, UInt8s
from sfu.net.peers import PeerTable

pytestmark = pytest.mark.skipif(not mmsg.supported(), reason="the system has no sendmmsg")

STRIDE = 1536


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """Bound UDP sockets; the first one is who sends."""
    made = [_bound() for _ in range(4)]
    yield made
    for one in made:
        one.close()


def _bound(family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    made.setblocking(False)
    return made


class Batch:
    """Datagrams as the tables that a Sender wants, a peer for each destination."""

    def __init__(self, datagrams: Sequence[tuple[bytes, bytes]]) -> None:
        count = len(datagrams)
        self._memory: UInt8s = np.zeros(count * STRIDE, np.uint8)
        self._rows: Int32s = np.zeros((count, ROW_COLUMNS), np.int32)
        distinct = list(dict.fromkeys(name for _, name in datagrams))
        self._peers = PeerTable(len(distinct))
        self._peers.port[:] = 0
        for row, name in enumerate(distinct):
            self._peers.use_udp(row, 0, name)
        for index, (payload, name) in enumerate(datagrams):
            at = index * STRIDE
            self._memory[at : at + len(payload)] = np.frombuffer(payload, np.uint8)
            self._rows[index] = len(payload), distinct.index(name), PROTECTED

    def send(
        self, sender: mmsg.Sender, by: socket.socket, *, gso: bool, first: int = 0
    ) -> tuple[int, int, int]:
        count = len(self._rows)
        return sender.send(
            by.fileno(), self._rows, first, count, self._memory, self._peers.matrix, 0, gso=gso
        )

    def without_names(self) -> "Batch":
        """For sockets that are connected."""
        self._peers.matrix[:, [NAME, NAME_LENGTH]] = 0
        return self


def _name(of: socket.socket) -> bytes:
    host, port = of.getsockname()[:2]
    if of.family == socket.AF_INET6:
        return (
            struct.pack("=H", socket.AF_INET6)
            + struct.pack("!HI", port, 0)
            + socket.inet_pton(of.family, host)
            + bytes(4)
        )
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)


def _drain(by: socket.socket) -> list[bytes]:
    received = []
    while True:
        try:
            received.append(by.recv(65_536))
        except BlockingIOError:
            return received


# --- receiving ---


def test_a_batch_fills_rows_with_bytes_lengths_and_addresses(sockets: list[socket.socket]) -> None:
    target, *peers = sockets
    for number, peer in enumerate(peers):
        peer.sendto(bytes([number]) * (number + 1), target.getsockname())
    receiver = mmsg.Receiver(8, 64)
    assert receiver.receive(target.fileno()) == 3
    assert receiver.columns(3, 0)[1].tolist() == [1, 2, 3]
    assert [receiver.rows[row, : row + 1].tobytes() for row in range(3)] == [b"\0", b"\1\1", b"\2\2\2"]
    raw = [receiver.raw_address(row)[:8] for row in range(3)]
    assert [word.to_bytes(8, "little") for word in receiver.columns(3, 0)[0].tolist()] == raw
    assert raw == [_name(peer)[:8] for peer in peers]


def test_an_empty_socket_gives_nothing(sockets: list[socket.socket]) -> None:
    assert mmsg.Receiver(8, 64).receive(sockets[0].fileno()) == 0


def test_what_does_not_fit_in_a_batch_waits_for_the_next(sockets: list[socket.socket]) -> None:
    target, peer, *_ = sockets
    for number in range(5):
        peer.sendto(bytes([number]), target.getsockname())
    receiver = mmsg.Receiver(3, 64)
    counts = []
    while count := receiver.receive(target.fileno()):
        counts.append([int(receiver.rows[row, 0]) for row in range(count)])
    assert counts == [[0, 1, 2], [3, 4]]


def test_a_datagram_that_was_cut_off_has_no_length(sockets: list[socket.socket]) -> None:
    target, peer, *_ = sockets
    for size in (64, 65, 1400, 10):
        peer.sendto(bytes(size), target.getsockname())
    receiver = mmsg.Receiver(8, 64)
    assert receiver.receive(target.fileno()) == 4
    assert receiver.columns(4, 0)[1].tolist() == [64, 0, 0, 10]


def test_rows_carry_the_kernels_arrival_time(sockets: list[socket.socket]) -> None:
    target, peer, *_ = sockets
    mmsg.enable_timestamps(target)
    receiver = mmsg.Receiver(8, 64)
    before = time.time_ns() // 1000
    peer.sendto(b"x", target.getsockname())
    assert receiver.receive(target.fileno()) == 1
    after = time.time_ns() // 1000  # a kernel just asked for times may take them only as it hands over
    _, (length,), (arrival,) = (column.tolist() for column in receiver.columns(1, fallback_us=1))
    assert length == 1
    assert before <= arrival <= after


def test_rows_without_an_arrival_time_get_the_given_one(sockets: list[socket.socket]) -> None:
    target, peer, *_ = sockets
    receiver = mmsg.Receiver(8, 64)
    mmsg.enable_timestamps(target)
    peer.sendto(b"with", target.getsockname())
    assert receiver.receive(target.fileno()) == 1
    target.setsockopt(socket.SOL_SOCKET, 35, 0)  # what the row held before must not count
    peer.sendto(b"without", target.getsockname())
    assert receiver.receive(target.fileno()) == 1
    assert receiver.columns(1, fallback_us=77)[2].tolist() == [77]


# --- sending ---


@pytest.mark.parametrize("gso", [False, True])
def test_every_datagram_reaches_its_peer_in_order(sockets: list[socket.socket], gso: bool) -> None:
    by, *peers = sockets
    sent = [(bytes([number]) * (100 + number % 3), _name(peers[number // 20])) for number in range(60)]
    assert Batch(sent).send(mmsg.Sender(64), by, gso=gso)[:2] == (60, 60)
    for number, peer in enumerate(peers):
        assert _drain(peer) == [payload for payload, _ in sent[number * 20 : number * 20 + 20]]


def test_runs_of_equal_size_leave_as_one_message(sockets: list[socket.socket]) -> None:
    by, peer, *_ = sockets
    if not mmsg.gso_supported(by):
        pytest.skip("the kernel has no UDP GSO")
    sent = [(bytes([number]) * 1200, _name(peer)) for number in range(200)]
    peer.setsockopt(socket.SOL_SOCKET, 33, 4_000_000)
    assert Batch(sent).send(mmsg.Sender(256), by, gso=True) == (200, 200, 1)
    assert _drain(peer) == [payload for payload, _ in sent]


def test_a_sender_forgets_the_last_batch(sockets: list[socket.socket]) -> None:
    """Control messages of a batch with runs must not cut the next one's datagrams."""
    by, peer, *_ = sockets
    sender = mmsg.Sender(16)
    Batch([(b"a" * 100, _name(peer))] * 8).send(sender, by, gso=True)
    assert Batch([(b"b" * 900, _name(peer)), (b"c" * 50, _name(peer))]).send(sender, by, gso=True)[1] == 2
    assert _drain(peer) == [b"a" * 100] * 8 + [b"b" * 900, b"c" * 50]


def test_ipv6_peers(sockets: list[socket.socket]) -> None:
    by, peer = _bound(socket.AF_INET6), _bound(socket.AF_INET6)
    try:
        assert (
            Batch([(b"one", _name(peer)), (b"two", _name(peer))]).send(mmsg.Sender(4), by, gso=True)[1] == 2
        )
        assert _drain(peer) == [b"one", b"two"]
    finally:
        by.close()
        peer.close()


def test_octets_are_counted(sockets: list[socket.socket]) -> None:
    by, *peers = sockets
    sender = mmsg.Sender(32)
    for sizes in ([100, 100, 90], [1200], [50, 60, 60, 60, 20, 70]):
        sent = [
            (bytes([n]) * size, _name(peers[number])) for number in range(3) for n, size in enumerate(sizes)
        ]
        before = sender.octets
        assert Batch(sent).send(sender, by, gso=True) == (len(sent), len(sent), 1)
        assert sender.octets - before == 3 * sum(sizes)
        assert len(sender.unsent) == 0
        for peer in peers:
            assert _drain(peer) == [bytes([n]) * size for n, size in enumerate(sizes)]


def test_it_can_begin_in_the_middle(sockets: list[socket.socket]) -> None:
    by, peer, *_ = sockets
    batch = Batch([(bytes([number]) * 9, _name(peer)) for number in range(5)])
    assert batch.send(mmsg.Sender(5), by, gso=False, first=3)[1] == 5
    assert [data[0] for data in _drain(peer)] == [3, 4, 0, 1, 2]


def test_a_peer_that_cannot_be_reached_costs_the_others_nothing(sockets: list[socket.socket]) -> None:
    by, first, second, _ = sockets
    nowhere = (
        struct.pack("=H", socket.AF_INET) + struct.pack("!H", 0) + socket.inet_aton("127.0.0.1") + bytes(8)
    )
    batch = Batch([(b"1", _name(first)), (b"x", nowhere), (b"2", _name(second))])
    assert batch.send(mmsg.Sender(4), by, gso=False)[:2] == (3, 2)
    assert _drain(first) == [b"1"]
    assert _drain(second) == [b"2"]


def test_a_full_buffer_drops_the_rest() -> None:
    """A pair of local sockets, because the loopback's UDP never makes its sender wait."""
    by, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with by, peer:
        by.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        batch = Batch([(bytes([number]) * 1000, b"") for number in range(100)]).without_names()
        sender = mmsg.Sender(128)
        _, sent, calls = batch.send(sender, by, gso=False)
        assert 0 < sent < 100
        assert calls == 2  # what fits, and the refusal
        assert sender.unsent.tolist() == list(range(sent, 100))
        peer.setblocking(False)
        assert _drain(peer) == [bytes([number]) * 1000 for number in range(sent)]
        assert Batch([(b"next", b"")]).without_names().send(sender, by, gso=False)[1] == 1
        assert len(sender.unsent) == 0


def test_a_shorter_last_segment_arrives_whole(sockets: list[socket.socket]) -> None:
    by, peer, other, _ = sockets
    sizes = [1100, 1100, 1090, 700, 90, 100]
    sent = [(bytes([n]) * size, _name(peer)) for n, size in enumerate(sizes)] + [(b"o" * 50, _name(other))]
    assert Batch(sent).send(mmsg.Sender(16), by, gso=True) == (7, 7, 1)
    assert _drain(peer) == [payload for payload, _ in sent[:-1]]
    assert _drain(other) == [b"o" * 50]


def test_where_the_kernel_refuses_gso_datagrams_go_one_by_one(sockets: list[socket.socket]) -> None:
    """Devices without checksum offload do; here, a socket that is to send without checksums."""
    by, peer, other, _ = sockets
    by.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK
    sent = [(b"a" * 100, _name(peer))] * 5 + [(b"b" * 90, _name(other))] + [(b"c" * 80, _name(peer))] * 5
    sender = mmsg.Sender(16)
    assert Batch(sent).send(sender, by, gso=True)[1] == 11
    assert sorted(_drain(peer)) == [b"a" * 100] * 5 + [b"c" * 80] * 5
    assert _drain(other) == [b"b" * 90]
    assert sender.gso_refused == 2
