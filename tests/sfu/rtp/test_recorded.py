"""What Chromium really sends."""

import pytest

from sfu.rtp import rtcp
from sfu.rtp.errors import RtpError
from sfu.rtp.extensions import audio_level, encode, walk
from sfu.rtp.header import PacketClass, build_header, demux, parse_header
from tests.harness.recorded_rtp import STREAMS, datagrams, elements


@pytest.mark.parametrize("name", STREAMS)
def test_headers_can_be_written_again_byte_for_byte(name: str) -> None:
    packets = datagrams(name)
    assert packets
    for packet in packets:
        header = parse_header(packet, len(packet))
        assert demux(packet[0], packet[1]) is PacketClass.RTP
        extension = encode(elements(packet))
        block = packet[12 : header.extension_end]
        # Chromium keeps the two-byte form for a while once it was needed.
        if header.extension_profile != 0x1000:
            assert extension == block
        again = build_header(
            marker=header.marker,
            payload_type=header.payload_type,
            sequence=header.sequence,
            timestamp=header.timestamp,
            ssrc=header.ssrc,
            extension=block,
            padding=header.payload_end < len(packet),
        )
        assert again == packet[: header.payload_start]


def test_a_packet_of_padding_alone_has_no_payload() -> None:
    (packet,) = datagrams("padding")
    header = parse_header(packet, len(packet))
    assert header.payload_start == header.payload_end < len(packet)


def test_key_frames_with_a_dependency_descriptor_use_the_two_byte_form() -> None:
    first, second, *_ = datagrams("vp8-dd")
    assert parse_header(first, len(first)).extension_profile == 0x1000
    assert parse_header(second, len(second)).extension_profile == 0xBEDE
    assert max(len(value) for _, value in elements(first)) > 16


def test_audio_level_of_the_microphone() -> None:
    levels = [audio_level(dict(elements(packet))[1][0]) for packet in datagrams("opus-red")]
    assert all(level <= 127 for _, level in levels)
    assert len(levels) == 6


@pytest.mark.parametrize("name", STREAMS)
def test_every_prefix_is_read_or_refused(name: str) -> None:
    for packet in datagrams(name):
        for length in range(min(len(packet), 120)):
            try:
                header = parse_header(packet, length)
                walk(packet, header.extension_profile, header.extension_start, header.extension_end)
            except RtpError:
                continue
            assert header.payload_end <= length


def test_reports_and_names() -> None:
    compounds = [rtcp.parse_compound(data) for data in datagrams("rtcp")]
    assert any(isinstance(packet, rtcp.SenderReport) for packets in compounds for packet in packets)
    for data, packets in zip(datagrams("rtcp"), compounds, strict=True):
        match packets:
            case [rtcp.SenderReport() as report, rtcp.Sdes(chunks)]:
                assert chunks[0].ssrc == report.ssrc
                if chunks[0].cname:
                    assert rtcp.build_sender_report(report, chunks[0].cname) == data
            case [rtcp.ReceiverReport() as report]:
                assert rtcp.build_receiver_report(report) == data
            case _:
                pytest.fail(f"unexpected packets {packets}")


def test_every_prefix_of_rtcp_is_read_or_refused() -> None:
    for data in datagrams("rtcp"):
        for length in range(len(data)):
            try:
                packets = rtcp.parse_compound(data[:length])
            except RtpError:
                continue
            assert packets == rtcp.parse_compound(data)[: len(packets)]
