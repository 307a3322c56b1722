"""Draining of real sockets."""

import socket
from collections.abc import Iterator

import pytest

from hubbub.load.arena import Arena
from sfu.net.mmsg import enable_timestamps


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for one in made:
        one.bind(("127.0.0.1", 0))
        enable_timestamps(one)
    yield made
    for one in made:
        one.close()


def send(to: socket.socket, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, to.getsockname())


def test_sockets_fill_one_arena(sockets: list[socket.socket]) -> None:
    arena = Arena(8, 64)
    send(sockets[0], b"one", b"three")
    send(sockets[1], b"four")
    assert [arena.fill(one.fileno()) for one in sockets] == [2, 1]
    _, sizes, arrivals = arena.columns(arena.used, 0)
    assert [arena.rows[row, :size].tobytes() for row, size in enumerate(sizes)] == [b"one", b"three", b"four"]
    assert 0 < arrivals[0] <= arrivals[1] <= arrivals[2]


def test_what_does_not_fit_stays_for_the_next_round(sockets: list[socket.socket]) -> None:
    arena = Arena(2, 64)
    send(sockets[0], b"1", b"2", b"3")
    assert arena.fill(sockets[0].fileno()) == 2
    assert arena.fill(sockets[0].fileno()) == 0
    arena.clear()
    assert arena.fill(sockets[0].fileno()) == 1
    assert arena.fill(sockets[1].fileno()) == 0
    assert arena.rows[0, :1].tobytes() == b"3"


def test_a_datagram_that_was_cut_off_has_no_length(sockets: list[socket.socket]) -> None:
    arena = Arena(2, 16)
    send(sockets[0], bytes(17), bytes(16))
    arena.fill(sockets[0].fileno())
    assert arena.columns(2, 0)[1].tolist() == [0, 16]
