from sfu.control import MediaKind
from sfu.rtp import rtcp
from sfu.rtp.header import parse_header
from sfu.tap.packets import Outgoing


def test_numbers_go_on_over_the_wrap_and_a_picture_ends_with_a_marker() -> None:
    outgoing = Outgoing(MediaKind.VIDEO, 7, 0xFFFF)
    packets = outgoing.packets([b"a", b"b"], 2**32 + 5, level=None, first=False)
    headers = [parse_header(packet, len(packet)) for packet in packets]
    assert [(h.sequence, h.timestamp, h.ssrc, h.marker) for h in headers] == [
        (0xFFFF, 5, 7, False),
        (0, 5, 7, True),
    ]
    assert [packet[h.payload_start : h.payload_end] for packet, h in zip(packets, headers, strict=True)] == [
        b"a",
        b"b",
    ]


def test_audio_says_how_loud_it_is_and_when_it_begins() -> None:
    outgoing = Outgoing(MediaKind.AUDIO, 7, 0)
    (loud,) = outgoing.packets([b"a"], 0, level=20, first=True)
    (silent,) = outgoing.packets([b"a"], 960, level=127, first=False)
    assert (loud[1], silent[1]) == (0x80 | 111, 111)
    assert (loud[16:18], silent[16:18]) == (b"\x10\x94", b"\x10\x7f")


def test_reports_come_once_a_second() -> None:
    outgoing = Outgoing(MediaKind.AUDIO, 7, 0)
    outgoing.packets([b"abc"], 0, level=None, first=True)
    report = outgoing.report(960, 10.0, 1.7e9)
    assert report is not None
    (parsed, *_) = rtcp.parse_compound(report)
    assert isinstance(parsed, rtcp.SenderReport)
    assert (parsed.ssrc, parsed.rtp_timestamp, parsed.packet_count, parsed.octet_count) == (7, 960, 1, 3)
    assert outgoing.report(960, 10.9, 1.7e9) is None
    assert outgoing.report(960, 11.0, 1.7e9) is not None
