"""Packets of a track over time, read back with the server's parsers."""

from itertools import count, pairwise
from random import Random

import pytest

from hubbub.load.plan import PRESETS
from hubbub.load.rtp import RtpStream, StreamConfig
from hubbub.load.sources import AudioSource, VideoSource
from hubbub.load.vp8 import group_of_pictures
from sfu.codecs import vp8
from sfu.rtp.extensions import ExtensionUri, walk
from sfu.rtp.header import RtpHeader, parse_header

IDS = {3: ExtensionUri.TRANSPORT_CC, 4: ExtensionUri.MID, 10: ExtensionUri.RID}
FPS = 30


def stream(payload_type: int = 96, clock_rate: int = 90_000, ids: dict[int, str] | None = None) -> RtpStream:
    config = StreamConfig(
        0x1234, payload_type, clock_rate, "7", "q", IDS if ids is None else ids, 65_530, 2**32 - 9
    )
    return RtpStream(config, count(65_534))


def video(resolution: str = "720p", keyframe_interval_s: float = 10) -> VideoSource:
    frames = group_of_pictures(PRESETS[resolution], FPS, keyframe_interval_s, Random(1))
    return VideoSource(stream(), frames, FPS, 100.0)


def play(source: VideoSource | AudioSource, start_at: float, end_at: float) -> list[bytes]:
    packets, now = [], start_at
    while now < end_at:
        packets += source.take(now)
        now += 0.005
    return packets


def headers(packets: list[bytes]) -> list[RtpHeader]:
    return [parse_header(packet, len(packet)) for packet in packets]


def values(packet: bytes) -> dict[int, bytes]:
    header = parse_header(packet, len(packet))
    elements = walk(packet, header.extension_profile, header.extension_start, header.extension_end)
    return {number: packet[at : at + size] for number, at, size in elements}


def is_key(packet: bytes) -> bool:
    return vp8.is_keyframe_start(packet[parse_header(packet, len(packet)).payload_start :])


def test_a_second_of_video_has_its_frames_and_no_gap() -> None:
    packets = play(video(), 100.0, 100.999)
    read = headers(packets)
    assert sum(header.marker for header in read) == FPS
    assert {header.ssrc for header in read} == {0x1234}
    assert [header.sequence for header in read] == [(65_530 + n) & 0xFFFF for n in range(len(read))]
    assert len({header.timestamp for header in read}) == FPS
    steps = {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(read)}
    assert steps == {0, 3000}


def test_only_what_exceeds_a_burst_is_spread() -> None:
    source = video()
    at_once = source.take(100.0)
    assert is_key(at_once[0])
    # The bitrate of 1.7 Mbit/s, two and a half times as fast, for 40 ms.
    assert 21_000 < sum(map(len, at_once)) < 24_500
    assert 100.0 < source.next_at < 100.005
    rest = headers(play(source, 100.005, 100.06))
    key = [header for header in rest if header.timestamp == rest[0].timestamp]
    assert len(key) > 10
    assert key[-1].marker
    small = headers(source.take(source.next_at))
    assert small[-1].marker


def test_a_request_makes_the_next_frame_a_key_frame_but_not_too_often() -> None:
    source = video()
    play(source, 100.0, 101.0)
    source.request_keyframe()
    source.request_keyframe()
    assert sum(map(is_key, play(source, 101.0, 101.1))) == 1
    source.request_keyframe()
    assert sum(map(is_key, play(source, 101.1, 101.25))) == 0
    assert sum(map(is_key, play(source, 101.25, 101.6))) == 1


def test_key_frames_come_by_themselves_after_the_interval() -> None:
    assert sum(map(is_key, play(video("180p", 2), 100.0, 105.9))) == 3


def test_a_late_call_leaves_frames_out_and_keeps_the_clock() -> None:
    source = video("180p")
    before = headers(play(source, 100.0, 101.0))[-1]
    packets = source.take(103.0)
    assert source.missed >= 59
    after = headers(packets)[-1]
    elapsed = ((after.timestamp - before.timestamp) & 0xFFFFFFFF) / 90_000
    assert elapsed == pytest.approx(2.0, abs=0.1)
    assert headers(packets)[0].sequence == (before.sequence + 1) & 0xFFFF
    assert len(packets) < 10


def test_mid_and_rid_go_along_until_the_server_knows_the_ssrc() -> None:
    source = video("180p")
    early = source.take(100.0)
    assert values(early[0]) == {3: b"\xff\xfe", 4: b"7", 10: b"q"}
    assert values(early[1]) == {3: b"\xff\xff", 4: b"7", 10: b"q"}
    assert values(early[2])[3] == b"\x00\x00"
    source.stream.confirm()
    late = play(source, 100.005, 100.1)
    assert set(values(late[0])) == {3}


def test_extensions_that_were_not_accepted_are_not_sent() -> None:
    packet = stream(ids={}).packet(b"x", 1, marker=False)
    assert parse_header(packet, len(packet)).extension_profile == 0


def test_audio_comes_every_20_ms_and_talks_now_and_then() -> None:
    source = AudioSource(stream(111, 48_000, {1: ExtensionUri.AUDIO_LEVEL}), Random(1), 100.0)
    packets = play(source, 100.0, 123.999)
    read = headers(packets)
    assert len(packets) == 1200
    assert {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(read)} == {960}
    levels = [values(packet)[1][0] for packet in packets]
    assert 380 <= sum(level < 127 or level > 127 for level in levels) <= 420
    assert 2 <= sum(header.marker for header in read) <= 3


def test_a_report_counts_payload_bytes() -> None:
    one = stream()
    one.packet(b"12345", 0, marker=True)
    report = one.report(1000.0, one.timestamp(1.0))
    assert (report.packet_count, report.octet_count, report.rtp_timestamp) == (1, 5, 89_991)
