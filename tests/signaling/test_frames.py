"""WebSocket frames: what clients may send, in whatever pieces it comes, and what they may not."""

import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.frames import Frame, FrameError, FrameReader, Opcode, close_frame, frame

MASK = b"\x01\x80\xfe\x07"


def masked(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A client's frame."""
    size = len(payload)
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 1 << 16:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    body = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))
    return bytes(((0x80 if final else 0) | opcode,)) + length + MASK + body


def read(data: bytes, *, max_bytes: int = 1 << 20, step: int = 1 << 20) -> list[Frame]:
    reader = FrameReader(max_bytes)
    frames: list[Frame] = []
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
        frames += reader.frames()
    return frames


@pytest.mark.parametrize("size", [0, 1, 3, 125, 126, 127, 65_535, 65_536, 70_001])
def test_every_length_is_read_and_written(size: int) -> None:
    payload = os.urandom(size)
    assert read(masked(2, payload)) == [Frame(Opcode.BINARY, payload)]
    written = frame(Opcode.BINARY, payload)
    assert written.endswith(payload)
    # A client's frame differs in the mask bit and the mask.
    assert len(masked(2, payload)) == len(written) + 4
    assert masked(2, payload)[0] == written[0]


def test_a_close_frame_has_its_code() -> None:
    assert close_frame(1000) == b"\x88\x02\x03\xe8"


@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 9, 10]), st.binary(max_size=125)), max_size=8),
    st.integers(1, 40),
)
def test_frames_come_out_whole_however_they_are_cut(sent: list[tuple[int, bytes]], step: int) -> None:
    data = b"".join(masked(opcode, payload) for opcode, payload in sent)
    assert read(data, step=step) == [Frame(Opcode(opcode), payload) for opcode, payload in sent]


def test_a_message_in_parts_may_have_a_ping_between() -> None:
    data = masked(1, b"ab", final=False) + masked(9, b"?") + masked(0, b"", final=False) + masked(0, b"c")
    assert read(data + masked(2, b"d")) == [
        Frame(Opcode.PING, b"?"),
        Frame(Opcode.TEXT, b"abc"),
        Frame(Opcode.BINARY, b"d"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"\x82\x01x",  # not masked
        masked(3, b""),  # unknown opcodes
        masked(11, b""),
        b"\xc2\x80" + MASK,  # a reserved bit
        masked(9, b"", final=False),  # control frames in parts, and too long
        masked(9, b"x" * 126),
        masked(0, b"x"),  # nothing to continue
        masked(1, b"x", final=False) + masked(2, b"y"),  # another before the first has ended
    ],
)
def test_what_is_no_frame_of_a_client_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError) as error:
        read(data)
    assert error.value.code == 1002


def test_a_message_that_is_too_long_is_refused_before_it_has_come() -> None:
    assert read(masked(2, b"x" * 200), max_bytes=200)
    for data in (
        masked(2, b"x" * 201)[:8],
        b"\x82\xff" + b"\x7f" + b"\xff" * 7,
        masked(2, b"x" * 100, final=False) + masked(0, b"y" * 101),
    ):
        with pytest.raises(FrameError) as error:
            read(data, max_bytes=200)
        assert error.value.code == 1009


@given(st.binary(max_size=300))
def test_nonsense_is_refused_or_waited_for(data: bytes) -> None:
    with suppress(FrameError):
        assert len(read(data, max_bytes=100)) <= len(data) // 6
