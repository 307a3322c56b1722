"""VP8 payload descriptors."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.codecs import vp8

KEYFRAME = bytes.fromhex("10 02 00 9d012a 8002 e001 00")
"""First bytes of a 640x480 key frame."""
INTER = b"\x11\x02\x00"


def build(
    *,
    start: bool = True,
    partition: int = 0,
    picture_id: int | None = None,
    wide: bool = False,
    tl0: int | None = None,
    tid: int | None = None,
    sync: bool = False,
    key_index: int | None = None,
) -> bytes:
    """Write a descriptor field by field."""
    present = (
        (picture_id is not None) << 7
        | (tl0 is not None) << 6
        | (tid is not None) << 5
        | (key_index is not None) << 4
    )
    out = bytes((bool(present) << 7 | start << 4 | partition,))
    if present:
        out += bytes((present,))
    if picture_id is not None:
        out += (picture_id | 0x8000).to_bytes(2, "big") if wide else bytes((picture_id,))
    if tl0 is not None:
        out += bytes((tl0,))
    if present & 0x30:
        out += bytes(((tid or 0) << 6 | sync << 5 | (key_index or 0),))
    return out


@given(
    start=st.booleans(),
    partition=st.integers(0, 7),
    picture=st.none() | st.tuples(st.booleans(), st.integers(0, 0x7FFF)),
    tl0=st.none() | st.integers(0, 255),
    tid=st.none() | st.integers(0, 3),
    sync=st.booleans(),
    key_index=st.none() | st.integers(0, 31),
    frame=st.sampled_from([KEYFRAME, INTER]),
)
def test_every_field_is_read(start, partition, picture, tl0, tid, sync, key_index, frame) -> None:
    wide, number = picture or (False, None)
    if number is not None and not wide:
        number &= 0x7F
    head = build(
        start=start,
        partition=partition,
        picture_id=number,
        wide=wide,
        tl0=tl0,
        tid=tid,
        sync=sync and tid is not None,
        key_index=key_index,
    )
    payload = head + frame
    parsed = vp8.parse(memoryview(payload))
    assert parsed is not None
    assert parsed.start == (start and partition == 0)
    assert parsed.keyframe == (parsed.start and frame is KEYFRAME)
    assert parsed.header_length == len(head)
    assert parsed.picture_id == (-1 if number is None else number)
    assert parsed.picture_id_bits == (0 if number is None else 15 if wide else 7)
    assert parsed.tl0_index == (-1 if tl0 is None else tl0)
    assert parsed.tid == (tid or 0)
    assert parsed.layer_sync == (sync and tid is not None)
    assert parsed.key_index == (-1 if key_index is None else key_index)
    assert (parsed.width, parsed.height) == ((640, 480) if parsed.keyframe else (0, 0))
    if number is not None:
        assert payload[parsed.picture_id_offset] & 0x7F == (number >> 8 if wide else number)
    if tl0 is not None:
        assert payload[parsed.tl0_offset] == tl0
    if key_index is not None:
        assert payload[parsed.key_index_offset] & 0x1F == key_index


@pytest.mark.parametrize("present", range(16))
@pytest.mark.parametrize("wide", [False, True])
def test_every_combination_cut_at_every_byte_is_none(present: int, wide: bool) -> None:
    head = build(
        picture_id=5 if present & 8 else None,
        wide=wide,
        tl0=6 if present & 4 else None,
        tid=2 if present & 2 else None,
        key_index=3 if present & 1 else None,
    )
    assert vp8.parse(head + b"\x00") is not None
    for cut in range(len(head) + 1):
        assert vp8.parse(head[:cut]) is None


def test_a_descriptor_of_one_byte_is_legal() -> None:
    parsed = vp8.parse(b"\x10" + KEYFRAME)
    assert parsed is not None
    assert parsed.keyframe
    assert parsed.picture_id_offset == parsed.tl0_offset == parsed.key_index_offset == -1


@pytest.mark.parametrize("cut", range(1, 10))
def test_a_cut_key_frame_header_has_no_size(cut: int) -> None:
    parsed = vp8.parse(b"\x10" + KEYFRAME[:cut])
    assert parsed is not None
    assert parsed.keyframe
    assert (parsed.width, parsed.height) == (0, 0)


def test_scaling_bits_are_no_part_of_the_size() -> None:
    parsed = vp8.parse(b"\x10" + bytes.fromhex("10 02 00 9d012a 80c2 e0c1"))
    assert parsed is not None
    assert (parsed.width, parsed.height) == (640, 480)


@given(
    st.integers(0, 127), st.none() | st.integers(0, 255), st.none() | st.integers(0, 3), st.binary(min_size=1)
)
def test_widen_changes_the_picture_id_field_alone(picture_id, tl0, tid, frame) -> None:
    narrow = vp8.widen(memoryview(build(picture_id=picture_id, tl0=tl0, tid=tid) + frame))
    assert narrow == build(picture_id=picture_id, wide=True, tl0=tl0, tid=tid) + frame


@given(st.binary(max_size=20))
def test_widen_gives_what_parses_alike(payload: bytes) -> None:
    before, after = vp8.parse(payload), vp8.parse(vp8.widen(payload))
    if before is None or before.picture_id_bits != 7:
        assert vp8.widen(payload) == payload
    else:
        assert after is not None
        assert after.picture_id_bits == 15
        kept = ("start", "keyframe", "picture_id", "tl0_index", "tid", "layer_sync", "key_index", "width")
        assert all(getattr(before, name) == getattr(after, name) for name in kept)


@given(st.binary(max_size=24))
def test_any_bytes_are_read_inside_the_payload_or_none(payload: bytes) -> None:
    parsed = vp8.parse(payload)
    assert vp8.is_keyframe_start(payload) == (parsed is not None and parsed.keyframe)
    if parsed is not None:
        assert 1 <= parsed.header_length < len(payload)
        assert (
            max(parsed.picture_id_offset, parsed.tl0_offset, parsed.key_index_offset) < parsed.header_length
        )


def test_all_short_payloads_are_survived() -> None:
    for first, second in product(range(256), repeat=2):
        vp8.parse(bytes((first, second)))
