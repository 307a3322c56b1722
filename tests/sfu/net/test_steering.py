"""The kernel tells RTCP that can wait from everything else, and the address stays ours."""

import errno
import socket
from collections.abc import Iterator

import pytest

from sfu.net import steering
from tests.harness.eventually import PATIENCE_S

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as first:
        first.bind((request.param, 0))
        first.setblocking(False)
        with steering.divide(first) as second:
            yield first, second


def came_to(pair: Pair, datagram: bytes) -> int:
    """Which of the two a datagram comes to."""
    with socket.socket(pair[0].family, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE_S)
        client.sendto(datagram, pair[0].getsockname())  # loopback delivers within the call
    found = []
    for index, one in enumerate(pair):
        try:
            found.append((index, one.recv(2048)))
        except BlockingIOError:
            continue
    ((index, data),) = found
    assert data == datagram
    return index


REST = b"\0\1\0\0\0\5and so on"


@pytest.mark.parametrize(
    "datagram",
    [b"\x80\xc8", b"\x81\xc8", b"\xa1\xc9", b"\x9f\xc9", b"\x8f\xcd", b"\xaf\xcd"],
    ids=["sender report", "with a block", "receiver report, padded", "of 31", "feedback", "padded"],
)
def test_reports_and_transport_wide_feedback_can_wait(pair: Pair, datagram: bytes) -> None:
    for _ in range(8):  # from as many addresses: without a filter the kernel would choose by these
        assert came_to(pair, datagram + REST) == 1


@pytest.mark.parametrize(
    "datagram",
    [
        b"\x81\xcd",
        b"\x81\xce",
        b"\x84\xce",
        b"\x81\xca",
        b"\x90\x60",
        b"\x80\xe0",
        b"\x00\x01",
        b"\x16\xfe",
        b"\xc0\xc9",
    ],
    ids=["NACK", "PLI", "FIR", "SDES", "RTP", "RTP, marked", "STUN", "DTLS", "version 3"],
)
def test_everything_else_cannot(pair: Pair, datagram: bytes) -> None:
    for _ in range(8):
        assert came_to(pair, datagram + REST) == 0


@pytest.mark.parametrize("datagram", [b"", b"\x80", b"\x8f\xcd"])
def test_whatever_is_short_comes_too(pair: Pair, datagram: bytes) -> None:
    assert came_to(pair, datagram) in (0, 1)


def test_nobody_gets_the_address_by_accident(pair: Pair) -> None:
    other = socket.socket(pair[0].family, socket.SOCK_DGRAM)
    with other, pytest.raises(OSError, match=f"{errno.EADDRINUSE}"):
        other.bind(pair[0].getsockname())


def test_where_the_system_cannot_one_socket_gets_all(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "_SO_ATTACH_REUSEPORT_CBPF", 9_999)
    host = pair[0].getsockname()[0]
    with socket.socket(pair[0].family, socket.SOCK_DGRAM) as alone:
        alone.bind((host, 0))
        alone.setblocking(False)
        with pytest.raises(OSError, match="not available"):
            steering.divide(alone)
        for _ in range(8):
            assert came_to((alone, pair[1]), b"\x8f\xcd" + REST) == 0
