"""Frames as receivers and servers read them."""

from random import Random

import pytest

from hubbub.load.plan import PRESETS
from hubbub.load.vp8 import MAX_PAYLOAD, descriptor, group_of_pictures
from sfu.codecs import vp8


@pytest.mark.parametrize("resolution", ["180p", "720p"])
def test_a_group_has_the_bitrate_of_its_layer(resolution: str) -> None:
    layer = PRESETS[resolution]
    frames = group_of_pictures(layer, 30, 10, Random(1))
    size = sum(len(piece) for frame in frames for piece in frame.pieces)
    assert len(frames) == 300
    assert size * 8 / 10 == pytest.approx(layer.bitrate_bps, rel=0.01)


def test_only_the_first_frame_is_a_key_frame_of_the_right_size() -> None:
    frames = group_of_pictures(PRESETS["360p"], 30, 2, Random(1))
    read = [vp8.parse(descriptor(7, 3, start=True) + frame.pieces[0]) for frame in frames]
    assert [one is not None and one.keyframe for one in read] == [True] + [False] * 59
    assert read[0] is not None
    assert (read[0].width, read[0].height) == (640, 360)
    assert len(frames[0].pieces[0]) > 3 * len(frames[1].pieces[0]) or len(frames[0].pieces) > 3


def test_pieces_fit_a_packet_and_share_a_frame_evenly() -> None:
    frames = group_of_pictures(PRESETS["1080p"], 30, 1, Random(1))
    assert max(len(piece) for frame in frames for piece in frame.pieces) <= MAX_PAYLOAD
    assert min(len(piece) for piece in frames[0].pieces) > MAX_PAYLOAD / 2


def test_a_frame_is_never_too_small_for_its_header() -> None:
    frames = group_of_pictures(PRESETS["180p"]._replace(bitrate_bps=1000), 60, 1, Random(1))
    assert all(vp8.parse(descriptor(1, 1, start=True) + frame.pieces[0]) for frame in frames)


def test_descriptor_counts_and_wraps() -> None:
    first = vp8.parse(descriptor(0x7FFF, 0x1FF, start=True) + b"\x11\0\0")
    assert first is not None
    assert (first.picture_id, first.picture_id_bits, first.tl0_index, first.tid) == (0x7FFF, 15, 0xFF, 0)
    following = vp8.parse(descriptor(0x8000, 0x200, start=False) + b"\x11\0\0")
    assert following is not None
    assert (following.start, following.picture_id, following.tl0_index) == (False, 0, 0)
