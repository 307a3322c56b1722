"""RFC 4571 framing: whatever way the bytes are cut, the same packets come out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.net.errors import FramingError
from sfu.net.framing import MAX_FRAME_SIZE, Deframer, frame


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), st.lists(st.integers(1, 100)))
def test_packets_survive_any_cutting(packets: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(frame, packets))
    deframer = Deframer()
    received = []
    for cut in cuts:
        received += deframer.feed(stream[:cut])
        stream = stream[cut:]
    received += deframer.feed(stream)
    assert received == packets
    assert deframer.pending == 0


def test_an_unfinished_packet_waits() -> None:
    deframer = Deframer()
    assert deframer.feed(b"\x00\x05abc") == []
    assert deframer.pending == 5
    assert deframer.feed(b"de\x00") == [b"abcde"]
    assert deframer.pending == 1


def test_the_largest_frame_passes_and_one_more_byte_does_not() -> None:
    assert Deframer().feed(frame(bytes(MAX_FRAME_SIZE))) == [bytes(MAX_FRAME_SIZE)]
    with pytest.raises(FramingError):
        Deframer().feed(frame(bytes(MAX_FRAME_SIZE + 1))[:2])


def test_empty_frames_are_ignored_within_reason() -> None:
    assert Deframer().feed(b"\x00\x00" * 3 + frame(b"x")) == [b"x"]
    assert frame(b"") == b"\x00\x00"


def test_a_packet_beyond_16_bits_cannot_be_framed() -> None:
    with pytest.raises(FramingError):
        frame(bytes(0x10000))
