"""Targets for payloads: whatever the bytes, an answer that lies inside them."""

from itertools import pairwise

from sfu.codecs import av1, dependency_descriptor, h264, h265, opus, red, vp8, vp9


def vp8_payload(data: bytes) -> None:
    parsed = vp8.parse(memoryview(data))
    widened = vp8.widen(memoryview(data))
    if parsed is None:
        assert widened == data
        return
    assert 1 <= parsed.header_length < len(data)
    offsets = (parsed.picture_id_offset, parsed.tl0_offset, parsed.key_index_offset)
    assert max(offsets) < parsed.header_length
    again = vp8.parse(widened)
    assert again is not None
    assert again.picture_id == parsed.picture_id
    assert again.picture_id_bits in (0, 15)


def vp9_payload(data: bytes) -> None:
    parsed = vp9.parse(memoryview(data))
    if parsed is not None:
        assert 1 <= parsed.header_length < len(data)
        assert len(parsed.sizes) in (0, parsed.spatial_layers)
        assert parsed.spatial_layers <= 8


def h264_payload(data: bytes) -> None:
    h264.is_keyframe_start(memoryview(data))
    h264.is_idr_start(memoryview(data))


def h265_payload(data: bytes) -> None:
    h265.is_keyframe_start(memoryview(data))


def av1_payload(data: bytes) -> None:
    av1.is_keyframe_start(memoryview(data))


def opus_payload(data: bytes) -> None:
    duration = opus.duration_s(memoryview(data))
    assert duration is None or 0 < duration <= opus.MAX_DURATION_S
    opus.is_dtx(memoryview(data))


def red_payload(data: bytes) -> None:
    blocks = red.split(memoryview(data))
    assert (blocks is None) == (red.primary(data) is None)
    if blocks is not None:
        assert len(blocks) <= red.MAX_BLOCKS
        assert blocks[-1].offset + blocks[-1].length == len(data)
        for before, block in pairwise(blocks):
            assert before.offset + before.length == block.offset


def dependency(data: bytes) -> None:
    """A structure, then the rest of the bytes as a descriptor that refers to it; the first byte is the cut."""
    cut = 1 + data[0] if data else 1
    first = dependency_descriptor.parse(data[1:cut], None)
    dependency_descriptor.peek(data)
    if first is None:
        return
    assert first.attached
    assert len(first.structure.templates) <= dependency_descriptor.MAX_TEMPLATES
    second = dependency_descriptor.parse(memoryview(data)[cut:], first.structure)
    for descriptor in (first, second or first):
        assert len(descriptor.frame.dtis) == len(descriptor.structure.targets)
        assert len(descriptor.frame.chain_diffs) == descriptor.structure.chain_count
