"""What encoders really send."""

import pytest

from sfu.codecs import av1, dependency_descriptor, h264, h265, opus, red, vp8, vp9
from sfu.codecs.keyframe import detector
from tests.harness.recorded_rtp import datagrams, descriptors, payloads

KEY_FRAMES = [
    ("vp8", "video/VP8", [0]),
    ("vp8-dd", "video/VP8", [0]),
    ("vp9-dd", "video/VP9", [0]),
    ("vp9-key-dd", "video/VP9", [0]),
    ("av1-dd", "video/AV1", [0]),
    ("h264", "video/H264", [0]),
]


@pytest.mark.parametrize(("name", "mime", "starts"), KEY_FRAMES)
def test_key_frames_are_found_where_they_start(name: str, mime: str, starts: list[int]) -> None:
    is_start = detector(mime)
    assert [at for at, payload in enumerate(payloads(name)) if is_start(memoryview(payload))] == starts


def test_h265_key_frames_start_with_parameters_or_with_the_picture() -> None:
    found = payloads("h265")
    assert h265.is_keyframe_start(found[0])
    assert found[0][0] >> 1 == h265.AGGREGATION
    assert h265.is_keyframe_start(found[1])
    assert not any(h265.is_keyframe_start(payload) for payload in found[2:])


def test_h264_idr_slices_follow_their_parameters() -> None:
    assert [at for at, payload in enumerate(payloads("h264")) if h264.is_idr_start(payload)] == [1]


def test_vp8_pictures_count_up() -> None:
    parsed = [vp8.parse(memoryview(payload)) for payload in payloads("vp8")]
    assert all(one is not None and one.picture_id_bits == 15 for one in parsed)
    starts = [one for one in parsed if one is not None and one.start]
    ids = [one.picture_id for one in starts]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert [one.tid for one in starts][:9] == [0, 2, 1, 2, 0, 2, 1, 2, 0]
    assert (starts[0].width, starts[0].height) == (320, 180)
    base_layer = [one.tl0_index for one in starts if one.tid == 0]
    assert base_layer == list(range(base_layer[0], base_layer[0] + len(base_layer)))


def test_vp8_has_no_numbers_of_its_own_beside_a_dependency_descriptor() -> None:
    for payload in payloads("vp8-dd"):
        parsed = vp8.parse(payload)
        assert parsed is not None
        assert parsed.header_length == 1
        assert parsed.picture_id == -1


@pytest.mark.parametrize("name", ["vp9-dd", "vp9-key-dd"])
def test_vp9_layers_agree_with_the_dependency_descriptor(name: str) -> None:
    structure = None
    for payload, data in zip(payloads(name), descriptors(name), strict=True):
        parsed = vp9.parse(memoryview(payload))
        descriptor = dependency_descriptor.parse(memoryview(data), structure)
        assert parsed is not None
        assert descriptor is not None
        structure = descriptor.structure
        assert (parsed.sid, parsed.tid) == (descriptor.frame.spatial, descriptor.frame.temporal)
        assert (parsed.frame_start, parsed.frame_end) == (descriptor.frame_start, descriptor.frame_end)
        assert parsed.keyframe == descriptor.attached


@pytest.mark.parametrize(
    ("name", "resolutions", "targets"),
    [
        ("vp8-dd", [(320, 180)], [(0, 0), (0, 1), (0, 2)]),
        ("vp9-dd", [(320, 180), (640, 360)], [(0, 0), (0, 1), (1, 0), (1, 1)]),
        (
            "vp9-key-dd",
            [(320, 180), (640, 360), (1280, 720)],
            [(spatial, temporal) for spatial in range(3) for temporal in range(3)],
        ),
        ("av1-dd", [(320, 180), (640, 360)], [(0, 0), (0, 1), (1, 0), (1, 1)]),
    ],
)
def test_structures(name, resolutions, targets) -> None:
    found = descriptors(name)
    assert len(found) == len(datagrams(name))
    first = dependency_descriptor.parse(found[0], None)
    assert first is not None
    assert list(first.structure.resolutions) == resolutions
    assert [target[:2] for target in first.structure.targets] == targets
    for data in found[1:]:
        later = dependency_descriptor.parse(data, first.structure)
        assert later is not None
        assert not later.attached
        assert all(diff <= later.frame_number for diff in later.frame.frame_diffs)


def test_red_repeats_what_was_primary_before() -> None:
    before = b""
    for payload in payloads("opus-red"):
        blocks = red.split(memoryview(payload))
        assert blocks is not None
        found = [payload[block.offset : block.offset + block.length] for block in blocks]
        assert all(block.payload_type == 111 for block in blocks)
        if before:
            assert found[0] == before
            assert blocks[0].timestamp_offset == 960
        before = found[-1]
        assert opus.duration_s(before) == 0.02
        assert not opus.is_dtx(before)


READERS = {
    "vp8": [vp8.parse, vp8.is_keyframe_start, vp8.widen],
    "vp8-dd": [vp8.parse, vp8.widen],
    "vp9-key-dd": [vp9.parse, vp9.is_keyframe_start],
    "av1-dd": [av1.is_keyframe_start],
    "h264": [h264.is_keyframe_start, h264.is_idr_start],
    "h265": [h265.is_keyframe_start],
    "opus-red": [red.split, red.primary, opus.duration_s, opus.is_dtx],
}


@pytest.mark.parametrize("name", READERS)
def test_no_prefix_raises(name: str) -> None:
    for payload in payloads(name):
        for length in range(min(len(payload), 80)):
            for read in READERS[name]:
                read(memoryview(payload)[:length])


@pytest.mark.parametrize("name", ["vp8-dd", "vp9-key-dd", "av1-dd"])
def test_every_prefix_of_a_structure_is_none(name: str) -> None:
    first = descriptors(name)[0]
    for length in range(len(first)):
        assert dependency_descriptor.parse(first[:length], None) is None
