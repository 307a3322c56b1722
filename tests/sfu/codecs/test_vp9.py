"""VP9 payload descriptors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.codecs import vp9

FRAME = b"\x82\x49\x83\x42"
GOOD = [
    # I L B V: 15-bit picture id, layer 0/0, TL0PICIDX, structure of three layers with sizes and two pictures.
    "aa 8123 00 07 58 0140 00b4 0280 0168 0500 02d0 02 04 01 58 02 04",
    "ad 8123 13 07",  # not the lowest layer: U, spatial 1, D; Z
    "f8 05 20 03 02",  # flexible, inter picture, two references
    "08",  # no fields at all
    "8c 7f",
]


def descriptor(text: str) -> vp9.Vp9Descriptor:
    parsed = vp9.parse(memoryview(bytes.fromhex(text) + FRAME))
    assert parsed is not None
    assert parsed.header_length == len(bytes.fromhex(text))
    return parsed


def test_key_frame_with_a_structure() -> None:
    parsed = descriptor(GOOD[0])
    assert parsed.keyframe
    assert parsed.frame_start
    assert not parsed.frame_end
    assert (parsed.picture_id, parsed.picture_id_offset, parsed.picture_id_bits) == (0x123, 1, 15)
    assert (parsed.tl0_index, parsed.tl0_offset) == (7, 4)
    assert parsed.spatial_layers == 3
    assert parsed.sizes == ((320, 180), (640, 360), (1280, 720))


def test_upper_layer_of_a_key_picture_is_no_key_frame() -> None:
    parsed = descriptor(GOOD[1])
    assert not parsed.keyframe
    assert not parsed.inter_picture
    assert (parsed.tid, parsed.sid, parsed.switch_up, parsed.inter_layer) == (0, 1, True, True)
    assert parsed.frame_start
    assert parsed.frame_end
    assert parsed.not_reference


def test_flexible_mode_has_references_and_no_tl0() -> None:
    parsed = descriptor(GOOD[2])
    assert parsed.flexible
    assert parsed.inter_picture
    assert not parsed.keyframe
    assert (parsed.picture_id, parsed.picture_id_bits) == (5, 7)
    assert (parsed.tid, parsed.tl0_index) == (1, -1)


def test_without_layers_a_picture_of_its_own_is_a_key_frame() -> None:
    parsed = descriptor(GOOD[3])
    assert parsed.keyframe
    assert not parsed.has_layers
    assert parsed.picture_id == -1


@pytest.mark.parametrize("text", GOOD)
def test_cut_at_every_byte_is_none(text: str) -> None:
    whole = bytes.fromhex(text)
    for cut in range(len(whole) + 1):
        assert vp9.parse(whole[:cut]) is None


def test_more_than_three_references_are_refused() -> None:
    assert vp9.parse(bytes.fromhex("d0 05 03 03 02") + FRAME) is not None
    assert vp9.parse(bytes.fromhex("d0 05 03 03 03 02") + FRAME) is None
    assert vp9.parse(bytes.fromhex("d0 05") + b"\x03" * 1000) is None


def test_a_structure_of_255_pictures() -> None:
    pictures = b"\x0c\x01\x02\x03" * 255
    parsed = vp9.parse(b"\x0a\x08\xff" + pictures + FRAME)
    assert parsed is not None
    assert parsed.header_length == 3 + len(pictures)
    assert vp9.parse(b"\x0a\x08\xff" + pictures) is None
    assert vp9.parse(b"\x0a\x08\xff") is None


def test_a_structure_of_eight_layers() -> None:
    sizes = bytes.fromhex("0001 0002") * 8
    parsed = vp9.parse(b"\x0a\xf0" + sizes + FRAME)
    assert parsed is not None
    assert (parsed.spatial_layers, parsed.sizes) == (8, ((1, 2),) * 8)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_inside_the_payload_or_none(payload: bytes) -> None:
    parsed = vp9.parse(payload)
    assert vp9.is_keyframe_start(payload) == (parsed is not None and parsed.keyframe)
    if parsed is not None:
        assert 1 <= parsed.header_length < len(payload)
