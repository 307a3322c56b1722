"""The media port over the loopback, with batches and without."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sfu.compiled.intake import ROW_BYTES
from sfu.net.udp import UdpPort
from tests.harness.eventually import PATIENCE_S


@contextmanager
def _port(
    host: str = "127.0.0.1", *, batch: bool = True, batch_size: int = 16, number: int = 0
) -> Iterator[UdpPort]:
    port = UdpPort(0, host, number, batch_size=batch_size, buffer_bytes=1 << 20, batch=batch)
    try:
        yield port
    finally:
        port.close()


@contextmanager
def _client(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((host, 0))
        client.settimeout(PATIENCE_S)
        yield client


both = pytest.mark.parametrize("batch", [True, False], ids=["batches", "singly"])
hosts = pytest.mark.parametrize("host", ["127.0.0.1", "::1"])


def _taken(port: UdpPort) -> list[tuple[object, bytes]]:
    return [(port.key(row), bytes(port.data(row, length))) for row, length in enumerate(_lengths(port))]


def _lengths(port: UdpPort) -> list[int]:
    """Bytes of each datagram of a batch."""
    lengths: list[int] = port.receiver.columns(port.fill(), 0)[1].tolist()
    return lengths


@both
@hosts
def test_datagrams_come_with_the_key_of_their_sender(batch: bool, host: str) -> None:
    with _port(host, batch=batch) as port, _client(host) as one, _client(host) as other:
        for client, data in ((one, b"1"), (other, b"22"), (one, b"333")):
            client.sendto(data, (host, port.port))
        received = _taken(port)
        assert [data for _, data in received] == [b"1", b"22", b"333"]
        keys = [key for key, _ in received]
        assert keys[0] == keys[2] != keys[1]
        assert _taken(port) == []


@hosts
def test_keys_are_the_same_with_batches_and_without(host: str) -> None:
    """They are compared with what ICE learned, whichever way that came."""
    with _port(host) as port, _port(host, batch=False) as plain, _client(host) as client:
        keys = []
        for target in (port, plain):
            client.sendto(b"x", (host, target.port))
            keys += [key for key, _ in _taken(target)]
        assert keys[0] == keys[1]
        assert port.raw_address(keys[0]) == plain.raw_address(keys[1])


@both
@hosts
def test_an_answer_goes_where_the_datagram_came_from(batch: bool, host: str) -> None:
    with _port(host, batch=batch) as port, _client(host) as client:
        client.sendto(b"ask", (host, port.port))
        ((key, _),) = _taken(port)
        assert port.send(b"answer", key)
        assert port.send_raw(memoryview(b"again"), port.raw_address(key))
        assert client.recvfrom(100)[0] == b"answer"
        assert client.recv(100) == b"again"


@both
def test_a_batch_is_bounded_and_the_rest_waits(batch: bool) -> None:
    with _port(batch=batch, batch_size=4) as port, _client() as client:
        for number in range(6):
            client.sendto(bytes([number]), ("127.0.0.1", port.port))
        assert [data for _, data in _taken(port)] == [b"\0", b"\1", b"\2", b"\3"]
        assert [data for _, data in _taken(port)] == [b"\4", b"\5"]


@both
def test_a_batch_may_be_smaller_than_there_is_room(batch: bool) -> None:
    with _port(batch=batch) as port, _client() as client:
        for number in range(5):
            client.sendto(bytes([number]), ("127.0.0.1", port.port))
        assert [port.fill(2), port.fill(100), port.fill(2)] == [2, 3, 0]


@both
def test_a_datagram_too_large_for_a_row_has_no_bytes(batch: bool) -> None:
    with _port(batch=batch) as port, _client() as client:
        for size in (ROW_BYTES + 1, 40_000, ROW_BYTES - 1, 3):
            client.sendto(bytes(size), ("127.0.0.1", port.port))
        assert _lengths(port) == [0, 0, ROW_BYTES - 1, 3]


@both
def test_an_empty_datagram_is_no_end(batch: bool) -> None:
    with _port(batch=batch) as port, _client() as client:
        for data in (b"", b"x"):
            client.sendto(data, ("127.0.0.1", port.port))
        assert [data for _, data in _taken(port)] == [b"", b"x"]


@both
def test_arrival_is_in_unix_microseconds(batch: bool) -> None:
    with _port(batch=batch) as port, _client() as client:
        before = time.time_ns() // 1000
        client.sendto(b"x", ("127.0.0.1", port.port))
        (arrival_us,) = port.receiver.columns(port.fill(), 0)[2].tolist()
        # A kernel just asked for times may take them only as it hands over.
        assert before <= arrival_us <= time.time_ns() // 1000


@both
def test_a_refused_send_is_told(batch: bool) -> None:
    with _port(batch=batch) as port, _client() as client:
        client.sendto(b"x", ("127.0.0.1", port.port))
        ((key, _),) = _taken(port)
        assert not port.send(bytes(70_000), key)
        assert port.send(b"fine", key)


def test_a_taken_port_is_an_os_error() -> None:
    with _port() as port, pytest.raises(OSError, match="in use"), _port(number=port.port):
        pass


def test_ipv6_does_not_take_the_ipv4_port() -> None:
    with _port("0.0.0.0") as port, _port("::", number=port.port) as other:
        assert other.port == port.port


@hosts
def test_reports_come_to_a_port_beside_it_into_the_same_rows(host: str) -> None:
    with _port(host) as port, _client(host) as client:
        reports = port.divide(1 << 20)
        assert reports is not None
        assert (reports.port, reports.index) == (port.port, port.index)
        client.sendto(b"\x80\xc9 report", (host, port.port))
        client.sendto(b"\x80\x60 media", (host, port.port))
        ((sender, data),) = _taken(reports)
        assert data == b"\x80\xc9 report"
        assert reports.receiver.columns(1, 0)[2].tolist() != [0]  # with the kernel's time
        assert _taken(port) == [(sender, b"\x80\x60 media")]
        reports.close()
        client.sendto(b"\x80\xc9 later", (host, port.port))
        assert _taken(port) == [(sender, b"\x80\xc9 later")]


def test_without_batches_one_port_gets_all() -> None:
    with _port(batch=False) as port:
        assert port.divide(1 << 20) is None
