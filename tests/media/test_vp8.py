from random import Random

import pytest

from media import vp8
from media.vp8 import Assembler, EncodedFrame, descriptor_length, packetize

KEY, DELTA = b"\x10" + bytes(2999), b"\x11" + bytes(2999)


def push(assembler: Assembler, payloads: list[bytes], start: int, timestamp: int) -> EncodedFrame | None:
    frame = None
    for index, payload in enumerate(payloads):
        frame = assembler.push(start + index, timestamp, index == len(payloads) - 1, payload)
    return frame


def test_frames_are_cut_evenly_and_put_together_again() -> None:
    payloads = list(packetize(KEY, 0x1234, 1100))
    assert [len(payload) for payload in payloads] == [1004, 1004, 1004]
    assert payloads[0][:4] == b"\x90\x80\x92\x34"
    assert payloads[1][0] == 0x80
    assert push(Assembler(), payloads, 0, 90) == EncodedFrame(KEY, 90, True)


def test_nothing_comes_before_a_key_frame() -> None:
    assembler = Assembler()
    payloads = list(packetize(DELTA, 1, 1100))
    assert push(assembler, payloads, 0, 1) is None
    assert assembler.broken
    assert push(assembler, list(packetize(KEY, 2, 1100)), 3, 2)
    assert push(assembler, payloads, 6, 3) == EncodedFrame(DELTA, 3, False)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_after_a_loss_a_key_frame_is_waited_for(lost: int) -> None:
    assembler = Assembler()
    key, delta = list(packetize(KEY, 2, 1100)), list(packetize(DELTA, 1, 1100))
    push(assembler, key, 0, 1)
    for index, payload in enumerate(delta):
        if index != lost:
            assert assembler.push(3 + index, 2, index == 2, payload) is None
    assert push(assembler, delta, 6, 3) is None
    assert assembler.broken
    assert push(assembler, key, 9, 4)


def test_a_frame_without_an_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vp8, "MAX_FRAME_BYTES", 2000)
    assembler = Assembler()
    for number in range(100):
        assembler.push(number, 0, False, b"\x10" + bytes(999) if not number else b"\x00" + bytes(999))
        assert sum(map(len, assembler._parts)) <= 2000


@pytest.mark.parametrize(
    ("payload", "length"),
    [
        (b"", 0),
        (b"\x10", 0),
        (b"\x10a", 1),
        (b"\x80", 0),
        (b"\x90\x80", 0),
        (b"\x90\x80\x01a", 3),
        (b"\x90\x80\x81\x01a", 4),
        (b"\x90\xf0\x81\x01\x02\x03a", 6),
        (b"\x90\xf0\x81\x01\x02\x03", 0),
    ],
)
def test_descriptors_are_measured(payload: bytes, length: int) -> None:
    assert descriptor_length(payload) == length


def test_any_bytes_do_no_harm() -> None:
    random, assembler = Random(5), Assembler()
    for number in range(20_000):
        assembler.push(
            number, random.randrange(4), random.random() < 0.3, random.randbytes(random.randrange(9))
        )
