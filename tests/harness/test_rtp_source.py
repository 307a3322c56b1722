"""The publishers of the scenario tests, read back with the parsers of the data plane."""

from itertools import pairwise

import pytest

from sfu.codecs import av1, dependency_descriptor, h264, opus, vp8, vp9
from sfu.codecs.keyframe import detector
from sfu.rtp import rtcp
from sfu.rtp.extensions import walk
from sfu.rtp.header import RtpHeader, parse_header
from tests.harness.rtp_payloads import MTU, pieces
from tests.harness.rtp_source import AudioSource, VideoSource, simulcast
from tests.harness.rtp_stream import NTP_EPOCH_S, ExtensionIds, SentPacket, StreamConfig, TransportCounter


def read(data: bytes) -> tuple[RtpHeader, dict[int, bytes], bytes]:
    header = parse_header(data, len(data))
    places = walk(data, header.extension_profile, header.extension_start, header.extension_end)
    values = {number: data[at : at + size] for number, at, size in places}
    return header, values, data[header.payload_start : header.payload_end]


def frames_of(packets: list[SentPacket]) -> list[list[SentPacket]]:
    frames: dict[int, list[SentPacket]] = {}
    for packet in packets:
        frames.setdefault(packet.frame, []).append(packet)
    return list(frames.values())


def camera(codec: str = "vp8", **options: object) -> VideoSource:
    config = StreamConfig(0x1234, 96, mid="0", first_sequence=65_530, first_timestamp=(1 << 32) - 4000)
    return VideoSource(config, codec, bitrate_bps=1_000_000, **options)  # type: ignore[arg-type]


def test_headers_say_what_the_source_says():
    source = camera()
    for sent in source.take(1.0):
        header, values, payload = read(sent.data)
        assert (header.sequence, header.timestamp, header.ssrc) == (sent.sequence, sent.timestamp, sent.ssrc)
        assert (header.marker, header.payload_type) == (sent.marker, 96)
        assert payload == sent.payload
        assert len(payload) <= MTU + 16
        assert int.from_bytes(values[4], "big") == round(sent.sent_at * (1 << 18)) & 0xFFFFFF


def test_numbers_follow_and_wrap():
    packets = camera().take(2.0)
    for before, after in pairwise(packets):
        assert after.sequence == (before.sequence + 1) & 0xFFFF
    assert {packet.sequence for packet in packets} & {65_535, 0} == {65_535, 0}
    transport = [int.from_bytes(read(packet.data)[1][5], "big") for packet in packets]
    assert transport == list(range(len(packets)))


def test_a_second_has_its_frames_bytes_and_time():
    packets = camera().take(1.99)
    frames = frames_of(packets)
    assert len(frames) == 60
    for frame in frames:
        assert [packet.marker for packet in frame] == [False] * (len(frame) - 1) + [True]
        assert [packet.starts_frame for packet in frame] == [True] + [False] * (len(frame) - 1)
        assert len({packet.timestamp for packet in frame}) == 1
    steps = [(b[0].timestamp - a[0].timestamp) & 0xFFFFFFFF for a, b in pairwise(frames)]
    assert all(abs(step - 3000) <= 1 for step in steps)
    assert sum(len(packet.payload) for packet in packets) * 8 == pytest.approx(2_000_000, rel=0.15)


def test_the_same_seed_makes_the_same_bytes():
    assert [p.data for p in camera(seed=3).take(1.0)] == [p.data for p in camera(seed=3).take(1.0)]
    assert [p.data for p in camera(seed=3).take(1.0)] != [p.data for p in camera(seed=4).take(1.0)]


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
def test_key_frames_are_seen_where_they_start_and_nowhere_else(codec: str):
    source = camera(codec)
    packets = source.take(0.99)
    source.keyframe()
    packets += source.take(2.0)
    is_keyframe_start = detector(f"video/{codec}")
    for packet in packets:
        found = is_keyframe_start(memoryview(packet.payload))
        assert found == (packet.keyframe and packet.starts_frame), packet.frame
    assert sorted({packet.frame for packet in packets if packet.keyframe}) == [0, 30]
    assert source.keyframes == 2


def test_key_frames_come_in_their_interval():
    packets = camera(keyframe_interval_s=1.0).take(3.5)
    assert sorted({packet.frame for packet in packets if packet.keyframe}) == [0, 30, 60, 90]


@pytest.mark.parametrize(("layers", "pattern"), [(2, [0, 1, 0, 1]), (3, [0, 2, 1, 2])])
def test_vp8_temporal_layers_and_ids(layers: int, pattern: list[int]):
    frames = frames_of(camera("vp8", temporal_layers=layers).take(2.0))
    firsts = [vp8.parse(frame[0].payload) for frame in frames]
    descriptors = [descriptor for descriptor in firsts if descriptor is not None]
    assert len(descriptors) == len(frames)
    assert [d.tid for d in descriptors[:8]] == pattern * 2
    for before, after in pairwise(descriptors):
        assert after.picture_id == (before.picture_id + 1) & 0x7FFF
        step = (after.tl0_index - before.tl0_index) & 0xFF
        assert step == (1 if after.tid == 0 else 0)
    assert all(d.layer_sync for d in descriptors if d.tid == layers - 2 and d.tid > 0)


def test_vp9_spatial_layers_share_a_picture():
    frames = frames_of(camera("vp9", spatial_layers=3, temporal_layers=2).take(1.0))
    for number, frame in enumerate(frames):
        found = [vp9.parse(packet.payload) for packet in frame]
        descriptors = [descriptor for descriptor in found if descriptor is not None]
        assert len(descriptors) == len(frame)
        assert {d.sid for d in descriptors} == {0, 1, 2}
        assert len({d.picture_id for d in descriptors}) == 1
        assert sum(d.frame_start for d in descriptors) == sum(d.frame_end for d in descriptors) == 3
        assert {d.tid for d in descriptors} == {number % 2}
        assert [packet.marker for packet in frame].count(True) == 1
    head = vp9.parse(frames[0][0].payload)
    assert head is not None
    assert head.sizes == ((160, 90), (320, 180), (640, 360))


def test_h264_sends_its_parameter_sets_before_each_idr():
    frames = frames_of(camera("h264").take(0.5))
    assert h264.is_keyframe_start(frames[0][0].payload)
    assert h264.is_idr_start(frames[0][1].payload) or frames[0][1].payload[1] & 0x80
    assert all(not h264.is_keyframe_start(packet.payload) for frame in frames[1:] for packet in frame)


def test_av1_marks_continued_units():
    frame = frames_of(camera("av1").take(0.1))[0]
    assert av1.is_keyframe_start(frame[0].payload)
    assert [packet.payload[0] >> 6 for packet in frame] == [1] + [3] * (len(frame) - 2) + [2]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_dependency_descriptors_parse_with_their_structure(layers: int):
    config = StreamConfig(1, 45, ids=ExtensionIds(dependency=12))
    source = VideoSource(config, "av1", temporal_layers=layers)
    structure = None
    for packet in source.take(1.0):
        found = dependency_descriptor.parse(read(packet.data)[1][12], structure)
        assert found is not None
        structure = found.structure
        assert found.attached == (packet.keyframe and packet.starts_frame)
        assert (found.frame_start, found.frame_end) == (packet.starts_frame, packet.marker)
        assert found.frame_number == packet.frame
        assert found.frame.temporal == packet.temporal
        assert [target.temporal for target in structure.targets] == list(range(layers))
        assert all(diff <= packet.frame for diff in found.frame.frame_diffs) or packet.frame < 4


def test_a_pause_ends_in_a_key_frame():
    source = camera()
    source.take(1.0)
    source.pause()
    assert source.take(5.0) == []
    source.resume(5.0)
    first = source.take(5.0)[0]
    assert first.keyframe
    assert first.sent_at == 5.0


def test_retransmissions_wrap_the_payload():
    config = StreamConfig(7, 96, mid="3", rid="h", rtx_ssrc=8, rtx_payload_type=97, first_sequence=100)
    source = VideoSource(config)
    sent = source.take(0.2)
    again = source.resend(sent[2].sequence, 0.3)
    assert again is not None
    header, values, payload = read(again)
    assert (header.ssrc, header.payload_type, header.sequence) == (8, 97, 0)
    assert payload == sent[2].sequence.to_bytes(2, "big") + sent[2].payload
    assert (values[1], values[3]) == (b"3", b"h")
    assert 2 not in values
    assert source.resend(99, 0.3) is None


def test_without_rtx_the_packet_itself_is_sent_again():
    source = camera()
    sent = source.take(0.1)
    assert source.resend(sent[0].sequence, 0.2) == sent[0].data


def test_sender_reports_pair_wall_clock_and_media_time():
    source = camera()
    packets = source.take(10.0)
    report, names = rtcp.parse_compound(source.sender_report(10.0))
    assert isinstance(report, rtcp.SenderReport)
    assert isinstance(names, rtcp.Sdes)
    assert names.chunks[0].cname == "harness"
    assert report.ssrc == 0x1234
    assert report.ntp / 2**32 == pytest.approx(NTP_EPOCH_S + 10)
    assert report.rtp_timestamp == (900_000 - 4000) & 0xFFFFFFFF
    assert report.packet_count == len(packets)
    assert report.octet_count == sum(len(packet.payload) for packet in packets)


def microphone(**options: object) -> AudioSource:
    return AudioSource(StreamConfig(9, 111, clock_rate=48_000), **options)  # type: ignore[arg-type]


def test_audio_has_a_packet_each_20_ms_with_its_level():
    source = microphone(level=lambda at: 20 if at < 1 else 127)
    packets = source.take(1.99)
    assert len(packets) == 100
    for packet in packets:
        _, values, payload = read(packet.data)
        assert opus.duration_s(payload) == pytest.approx(0.02)
        assert values[10] == (b"\x94" if packet.sent_at < 0.999 else b"\x7f")
    assert {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)} == {960}


def test_in_dtx_silence_is_thin_and_talk_begins_with_a_marker():
    source = microphone(level=lambda at: 127 if 1 <= at < 3 else 20, dtx=True)
    packets = source.take(3.5)
    silent = [packet for packet in packets if 1.01 < packet.sent_at < 2.99]
    assert 4 <= len(silent) <= 6
    assert all(opus.is_dtx(packet.payload) for packet in silent)
    assert [packet.sent_at for packet in packets if packet.marker] == [pytest.approx(3.0)]


def test_a_muted_microphone_skips_time():
    source = microphone()
    before = source.take(0.5)[-1]
    source.paused = True
    assert source.take(5.0) == []
    source.paused = False
    after = source.take(5.1)[0]
    assert after.sequence == before.sequence + 1
    assert after.timestamp - before.timestamp == pytest.approx(48_000 * 4.52, abs=960)


def test_simulcast_layers_name_themselves_and_share_the_transport():
    source = simulcast("1", transport=TransportCounter(65_500))
    packets = source.take(2.0)
    assert [packet.sent_at for packet in packets] == sorted(packet.sent_at for packet in packets)
    named: dict[int, tuple[bytes, bytes]] = {}
    for packet in packets:
        _, values, _ = read(packet.data)
        if 2 in values:
            named[packet.ssrc] = (values[1], values[2])
    assert named == {0x1000: (b"1", b"q"), 0x1002: (b"1", b"h"), 0x1004: (b"1", b"f")}
    transport = sorted(int.from_bytes(read(packet.data)[1][5], "big") for packet in packets)
    assert len(set(transport)) == len(packets)
    layer = source.by_ssrc(0x1003)
    assert layer is source.layers[1]
    assert source.by_ssrc(1) is None
    assert len(source.sender_reports(2.0)) == 3
    layer.pause()
    assert len(source.sender_reports(2.0)) == 2


def test_simulcast_layers_report_one_clock():
    source = simulcast()
    reports = [rtcp.parse_compound(data)[0] for data in source.sender_reports(4.0)]
    assert all(isinstance(report, rtcp.SenderReport) for report in reports)
    assert len({report.ntp for report in reports if isinstance(report, rtcp.SenderReport)}) == 1


def test_layers_by_ssrc_alone_have_no_rid():
    source = simulcast(rids=("", ""))
    assert all(2 not in read(packet.data)[1] for packet in source.take(0.5))


def test_a_frame_is_split_into_nearly_equal_pieces():
    assert [len(part) for part in pieces(bytes(2500), 1000)] == [834, 833, 833]
    assert pieces(b"", 10) == [b""]
    assert b"".join(pieces(bytes(range(100)), 7)) == bytes(range(100))


def test_an_unknown_codec_is_refused():
    with pytest.raises(ValueError, match="h263"):
        camera("h263")
