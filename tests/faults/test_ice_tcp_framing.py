"""Fault plan 16: RFC 4571 with length 0 and 65535, one byte at a time, and half a packet for ever."""

import pytest

from sfu.net.errors import FramingError
from sfu.net.framing import MAX_EMPTY_FRAMES, MAX_FRAME_SIZE, Deframer, frame


def test_ice_tcp_framing_length_zero_flood() -> None:
    with pytest.raises(FramingError):
        Deframer().feed(bytes(65_536))
    deframer = Deframer()
    deframer.feed(b"\x00\x00" * MAX_EMPTY_FRAMES)
    with pytest.raises(FramingError):
        deframer.feed(b"\x00\x00")


def test_ice_tcp_framing_length_65535() -> None:
    with pytest.raises(FramingError):
        Deframer().feed(b"\xff\xff")


def test_ice_tcp_framing_http_on_the_port() -> None:
    with pytest.raises(FramingError):
        Deframer().feed(b"GET / HTTP/1.1\r\n")


def test_ice_tcp_framing_slow_loris() -> None:
    deframer = Deframer()
    stream = frame(b"x" * 600)
    received = [packet for byte in stream for packet in deframer.feed(bytes([byte]))]
    assert received == [b"x" * 600]


def test_ice_tcp_framing_half_open_holds_one_packet_at_most() -> None:
    deframer = Deframer()
    deframer.feed(MAX_FRAME_SIZE.to_bytes(2, "big"))
    for _ in range(MAX_FRAME_SIZE - 1):
        deframer.feed(b"x")
    assert deframer.pending == MAX_FRAME_SIZE + 1
