"""Feedback, reports and requests of one client."""

from itertools import count
from random import Random
from typing import Any

import numpy as np

from hubbub.load.media import MAX_COMPOUND, Media
from hubbub.load.plan import PRESETS
from hubbub.load.rtp import RtpStream, StreamConfig
from hubbub.load.sdp import VP8, VP8_RTX, Forwarded
from hubbub.load.sources import VideoSource
from hubbub.load.streams import StreamTable
from hubbub.load.vp8 import group_of_pictures
from sfu.rtp.extensions import ExtensionUri, encode
from sfu.rtp.header import build_header
from sfu.rtp.rtcp import (
    FirRequest,
    Packet,
    Pli,
    ReceiverReport,
    Remb,
    ReportBlock,
    SenderReport,
    TransportFeedback,
    build_fir,
    build_nack,
    build_pli,
    build_receiver_report,
    parse_compound,
)
from sfu.rtp.twcc import parse_feedback

VIDEO, RTX, AUDIO = 11, 12, 13


class Sink:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send_rtcp(self, packet: bytes) -> None:
        self.sent.append(packet)

    def control(self, datagram: bytes, now: float) -> None:
        raise AssertionError

    def verify(self, pointer: Any, size: int) -> None:
        raise AssertionError

    def take(self) -> list[Packet]:
        packets = [packet for datagram in self.sent for packet in parse_compound(datagram)]
        self.sent.clear()
        return packets


def receiving() -> tuple[Media, Sink]:
    sink = Sink()
    media = Media(0, StreamTable(), sink)
    streams = [
        Forwarded(VIDEO, "video", "TR_V", False, True),
        Forwarded(RTX, "video", "TR_V", True, True),
        Forwarded(AUDIO, "audio", "TR_A", False, False),
    ]
    media.announce(streams, {3: ExtensionUri.TRANSPORT_CC, 4: ExtensionUri.MID})
    return media, sink


def publishing() -> tuple[Media, Sink, VideoSource]:
    media, sink = receiving()
    layer = PRESETS["180p"]
    config = StreamConfig(99, VP8, 90_000, "7", "q", {4: ExtensionUri.MID})
    source = VideoSource(RtpStream(config, count()), group_of_pictures(layer, 30, 10, Random(1)), 30, 0.0)
    media.sources.append(source)
    return media, sink, source


def numbered(sequence: int) -> memoryview:
    block = encode([(4, b"0"), (3, sequence.to_bytes(2, "big"))])
    header = build_header(payload_type=VP8, sequence=1, timestamp=1, ssrc=VIDEO, extension=block)
    return memoryview(header + b"payload")


def test_transport_feedback_tells_what_came_and_when() -> None:
    media, sink = receiving()
    assert media.began(VIDEO, VP8, 1.0)
    assert not media.began(AUDIO, 111, 1.0)
    for sequence, at_us in ((65_535, 1_000_000), (0, 1_010_000), (2, 1_020_000)):
        media.transport_packet(numbered(sequence), at_us)
    media.transport_packet(memoryview(b"\x80"), 1_030_000)
    media.send_feedback(5.0)
    [feedback] = sink.take()
    assert isinstance(feedback, TransportFeedback)
    arrivals = parse_feedback(feedback.raw)
    assert [(sequence, at is not None) for sequence, at in arrivals] == [
        (65_535, True),
        (0, True),
        (1, False),
        (2, True),
    ]
    media.send_feedback(6.0)
    assert sink.take() == []


def test_video_that_does_not_come_is_asked_for_once() -> None:
    media, sink = receiving()
    media.send_reports(1.0, 1e9)
    first = sink.take()
    assert [one.media_ssrc for one in first if isinstance(one, Pli)] == [VIDEO]
    assert any(isinstance(one, Remb) and one.ssrcs == (VIDEO,) for one in first)
    media.send_reports(2.0, 1e9 + 1)
    assert not any(isinstance(one, Pli) for one in sink.take())


def test_video_that_comes_is_not_asked_for() -> None:
    media, sink = receiving()
    media.began(VIDEO, VP8, 0.5)
    media.send_reports(1.0, 1e9)
    assert not any(isinstance(one, Pli) for one in sink.take())


def test_retransmissions_are_known_by_their_payload_type() -> None:
    media, _ = receiving()
    media.began(RTX, VP8_RTX, 0.5)
    media.began(VIDEO, VP8, 0.5)
    assert media.repairing == {RTX}


def test_requests_for_key_frames_reach_the_source_they_name() -> None:
    media, _, source = publishing()
    media.rtcp(build_pli(1, 98), 1.0)
    assert source.keyframes_requested == 0
    media.rtcp(build_pli(1, 99) + build_fir(1, [FirRequest(99, 1)]), 1.0)
    assert source.keyframes_requested == 2


def test_a_report_on_a_stream_ends_the_announcement_of_its_mid() -> None:
    media, _, source = publishing()
    before = len(source.take(0.0)[0])
    media.rtcp(build_receiver_report(ReceiverReport(1, (ReportBlock(99, 0, 0, 1, 0, 0, 0),))), 1.0)
    following = source.stream.packet(b"", 0, marker=False)
    assert len(following) == 12 < before


def test_packets_asked_for_again_are_counted_and_garbage_is_not_read() -> None:
    media, _, _ = publishing()
    media.rtcp(build_nack(1, 99, [5, 6, 9]), 1.0)
    media.rtcp(b"\x80\xc8\x00", 1.0)
    assert media.nacked == 3


def test_a_source_that_has_sent_reports_its_clock() -> None:
    media, sink, source = publishing()
    media.send_reports(0.0, 1e9)
    assert not any(isinstance(one, SenderReport) for one in sink.take())
    sent = source.take(0.0)
    media.send_reports(1.0, 1e9)
    [report] = [one for one in sink.take() if isinstance(one, SenderReport)]
    assert (report.ssrc, report.rtp_timestamp, report.packet_count) == (99, 90_000, len(sent))


def test_many_streams_take_several_datagrams() -> None:
    sink = Sink()
    table = StreamTable()
    media = Media(0, table, sink)
    count_ = 100
    ones = np.ones(count_, np.int64)
    table.add(0 * ones, np.arange(1, count_ + 1), ones, ones)
    media.send_reports(1.0, 1e9)
    assert max(len(datagram) for datagram in sink.sent) <= MAX_COMPOUND
    reports = [one for one in sink.take() if isinstance(one, ReceiverReport)]
    assert sum(len(report.reports) for report in reports) == count_
