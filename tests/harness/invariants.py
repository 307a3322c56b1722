"""What must hold of every forwarded stream, whatever happened on the way."""

from itertools import groupby, pairwise

from sfu.codecs import vp8
from tests.harness.lab_client import LabClient
from tests.harness.rtp_source import SentPacket
from tests.harness.viewer import Got, Viewer, body

MAX_SKEW_S = 0.040
"""A switch may misplace pictures by about one frame."""

Flow = list[tuple[Got, SentPacket]]


def flow(publisher: LabClient, viewer: Viewer) -> Flow:
    """What came, in order, each with what it was when it was sent. Fails when anything is not as it was sent."""
    return [(got, publisher.sent[body(got.payload, viewer.mime == "video/vp8")]) for got in viewer.in_order]


def check_numbers(flow: Flow, *, filtered: bool = False, lossy: bool = False) -> None:
    """Numbers follow on those of the source: no hole but where a packet was lost, and none moves.

    ``filtered`` where temporal layers are left out on purpose; ``lossy`` where the last packets before a switch may be
    missing.
    """
    for (before, source_before), (after, source_after) in pairwise(flow):
        step = after.sequence - before.sequence
        gap = (source_after.sequence - source_before.sequence) & 0xFFFF
        starts = source_after.keyframe and source_after.starts_frame
        if source_before.ssrc != source_after.ssrc or (step != gap and starts):
            assert step == 1 or (lossy and step > 1), "a hole at a switch or a pause"
        else:
            assert step <= gap if filtered else step == gap


def check_no_holes(viewer: Viewer) -> None:
    """Where nothing was lost, nothing is missing."""
    assert viewer.holes == []


def check_timestamps(flow: Flow, clock_rate: int = 90_000) -> None:
    """Timestamps run with the source's within a layer, and with the time of capture across switches."""
    for (before, source_before), (after, source_after) in pairwise(flow):
        step = _signed32(after.timestamp - before.timestamp)
        if source_before.ssrc == source_after.ssrc:
            captured = _signed32(source_after.timestamp - source_before.timestamp)
            if step != captured:
                _check_resumed(step, captured, clock_rate)
        else:
            captured_s = source_after.sent_at - source_before.sent_at
            assert abs(step / clock_rate - captured_s) <= MAX_SKEW_S, (step / clock_rate, captured_s)


def check_pictures(viewer: Viewer, *, temporal: int = 7) -> None:
    """VP8 ids count forwarded pictures one by one, base layers likewise, and each picture ends with one marker."""
    pictures = viewer.pictures()
    base = None
    for before, after in pairwise(pictures):
        assert before.descriptor is not None
        assert after.descriptor is not None
        assert after.descriptor.picture_id == (before.descriptor.picture_id + 1) & 0x7FFF
    for picture in pictures:
        assert picture.descriptor is not None
        assert picture.descriptor.tid <= temporal
        expected = base if base is None or picture.descriptor.tid else (base + 1) & 0xFF
        base = picture.descriptor.tl0_index
        assert expected in (None, base)
        assert [got.marker for got in picture.packets] == [False] * (len(picture.packets) - 1) + [True]
        assert {vp8.parse(got.payload).picture_id for got in picture.packets} == {  # type: ignore[union-attr]
            picture.descriptor.picture_id
        }


def check_switches(flow: Flow) -> None:
    """A subscriber starts, and starts another layer, at the first packet of a key frame."""
    for _, group in groupby(flow, key=lambda pair: pair[1].ssrc):
        _, first = next(group)
        assert first.keyframe
        assert first.starts_frame


def check_all(publisher: LabClient, viewer: Viewer, *, filtered: bool = False) -> Flow:
    """Everything that holds of a VP8 stream over a network that loses nothing."""
    found = flow(publisher, viewer)
    check_numbers(found, filtered=filtered)
    check_no_holes(viewer)
    check_timestamps(found)
    check_pictures(viewer)
    check_switches(found)
    assert not viewer.duplicates
    return found


def _check_resumed(step: int, captured: int, clock_rate: int) -> None:
    """After a pause real time counts, which is the source's but for a frame."""
    assert abs(step - captured) <= MAX_SKEW_S * clock_rate


def _signed32(ticks: int) -> int:
    return ((ticks + 0x80000000) & 0xFFFFFFFF) - 0x80000000
