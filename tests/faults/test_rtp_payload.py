"""Fault plan 41, 45 to 50 and 53: payloads that lie, or can't be read at all."""

import random
import timeit

import pytest

from sfu.codecs import av1, dependency_descriptor, h264, h265, red, vp8, vp9
from sfu.codecs.keyframe import detector
from tests.harness.recorded_rtp import descriptors

VIDEO = ["video/VP8", "video/VP9", "video/H264", "video/H265", "video/AV1"]


@pytest.mark.parametrize(
    "text",
    ["ff" * 40, "ef0003ff 6f 00", "ef", "ef000001", "80" * 1400],
    ids=["endless", "past-the-end", "no-length", "no-primary", "full-of-headers"],
)
def test_41_red(text: str) -> None:
    assert red.split(bytes.fromhex(text)) is None
    assert red.primary(bytes.fromhex(text)) is None


def test_41_blocks_of_no_length_are_legal() -> None:
    assert red.primary(bytes.fromhex("ef000000 6f")) == (0x6F, 5, 0)


@pytest.mark.parametrize("present", range(256))
def test_45_vp8_every_second_byte_cut_at_every_offset(present: int) -> None:
    whole = bytes((0x90, present)) + b"\x80\x01\x02\x03\x04"
    parsed = [vp8.parse(whole[:length]) for length in range(len(whole))]
    lengths = {one.header_length for one in parsed if one is not None}
    assert len(lengths) <= 1
    for length, one in enumerate(parsed):
        assert (one is None) == (not lengths or length <= min(lengths))


def test_46_vp9_structure_of_255_pictures_and_eight_layers() -> None:
    body = b"\x0a\xf8" + bytes(32) + b"\xff" + b"\x0c\1\2\3" * 255
    parsed = vp9.parse(body + b"\x82")
    assert parsed is not None
    assert (parsed.spatial_layers, parsed.header_length) == (8, len(body))
    for length in range(len(body) + 1):
        assert vp9.parse(body[:length]) is None


def test_46_vp9_references_without_end() -> None:
    assert vp9.parse(b"\xd0\x05" + b"\xff" * 1400) is None


def test_46_vp9_modes_may_alternate() -> None:
    flexible, fixed = vp9.parse(b"\xb8\x05\x20\x82"), vp9.parse(b"\xa8\x05\x20\x07\x82")
    assert flexible is not None
    assert fixed is not None
    assert (flexible.tl0_index, fixed.tl0_index) == (-1, 7)


@pytest.mark.parametrize(
    "text",
    [
        "78 0000 0004 6742e01f",  # STAP-A with an empty unit
        "78 ffff 67",  # past the end
        "78 0005 78 0002 6742",  # nested
        "7c 07 42e01f",  # FU-A without its start
        "60 67",  # type 0
        "7f 67",  # type 31
        "",
    ],
)
def test_47_h264(text: str) -> None:
    assert not h264.is_keyframe_start(bytes.fromhex(text))


def test_47_h264_a_fragment_may_start_and_end_at_once() -> None:
    assert h264.is_keyframe_start(bytes.fromhex("7c c7 42e01f"))


@pytest.mark.parametrize(
    "text",
    [
        "6401 65f0 4001",  # PACI in PACI
        "6401 61f0 0004 40010c01",  # PACI with its header extension past the end
        "6001 0006 6001 0002 4001",  # aggregation in aggregation
        "6001 0000 0000 0000",
        "6001 0001 40",
    ],
)
def test_48_h265(text: str) -> None:
    assert not h265.is_keyframe_start(bytes.fromhex(text))


def test_48_h265_decoding_order_numbers_are_never_negotiated_and_give_no_key_frame() -> None:
    assert not h265.is_keyframe_start(bytes.fromhex("6001 0000 0004 40010c01 00 0004 42010101"))


@pytest.mark.parametrize(
    "text",
    [
        "08" + "80" * 9 + "0a",  # a length of nine bytes
        "08 7f 0a",  # past the end
        "38 0a",  # three elements in one byte
        "98 0a0b",  # goes on with an OBU that never began
        "18 420b",  # a tile list
    ],
)
def test_49_av1(text: str) -> None:
    assert not av1.is_keyframe_start(bytes.fromhex(text))


def test_50_descriptor_without_structure_or_outside_it() -> None:
    first = dependency_descriptor.parse(descriptors("av1-dd")[0], None)
    assert first is not None
    assert dependency_descriptor.parse(b"\xc1\x00\x05", None) is None
    outside = [
        number
        for number in range(64)
        if dependency_descriptor.parse(bytes((0xC0 | number, 0, 5)), first.structure) is None
    ]
    assert outside == list(range(len(first.structure.templates), 64))


def test_50_sixty_four_templates_for_thirty_two_targets() -> None:
    bits = "11" + "0" * 22 + "10000" + "000000" + "11111" + "00" * 63 + "11"
    bits += "00" * 64 * 32 + "0" * 64 + "0" * 8
    whole = int(bits.ljust(-len(bits) % 8 + len(bits), "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    parsed = dependency_descriptor.parse(whole, None)
    assert parsed is not None
    assert (len(parsed.structure.templates), len(parsed.structure.targets)) == (64, 32)
    assert dependency_descriptor.parse(whole[:255], None) is None
    assert timeit.timeit(lambda: dependency_descriptor.parse(whole, None), number=5) < 0.5


def test_50_frame_numbers_may_jump() -> None:
    first = dependency_descriptor.parse(descriptors("av1-dd")[0], None)
    assert first is not None
    for number in (0, 1, 0x7FFF, 0x8000, 0xFFFF):
        later = dependency_descriptor.parse(b"\xc1" + number.to_bytes(2, "big"), first.structure)
        assert later is not None
        assert later.frame_number == number


@pytest.mark.parametrize("mime", VIDEO)
def test_53_encrypted_payloads_are_read_as_nonsense_at_worst(mime: str) -> None:
    is_start, rng = detector(mime), random.Random(mime)
    for _ in range(5000):
        payload = memoryview(rng.randbytes(rng.randrange(200)))
        assert is_start(payload) in (True, False)
        vp8.parse(payload)
        vp9.parse(payload)
