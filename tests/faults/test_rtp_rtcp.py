"""Fault plan 55 to 63: RTCP that is broken, that lies, or that asks for too much."""

import timeit

import pytest

from sfu.rtp import ntp, rtcp, twcc
from sfu.rtp.errors import RtpError
from sfu.rtp.rtcp import packets

RR = "80c90001 00000001"
PLI = "81ce0002 00000001 00000002"


def parse(text: str) -> list[rtcp.Packet]:
    return rtcp.parse_compound(bytes.fromhex(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "80",
        "80c900",
        "80c90001",  # a body that is not there
        "80c90000",  # no room for the SSRC
        "40c90001 00000001",  # version 1
        RR + "81",  # bytes after the last packet
        RR + "81ce0002 00000001",
        "81c90001 00000001",  # a block counted, none there
        "9fc90007" + "00000001" * 7,
        "81c80006" + "00000000" * 6,
        "81ce0001 00000001",  # PLI for nobody
        "a0c90001 000000ff",  # padding past the start
        "a0c90001 00000000",  # padding of no length
    ],
)
def test_55_lengths(text: str) -> None:
    with pytest.raises(RtpError):
        parse(text)


def test_55_any_packet_may_come_first_and_be_padded() -> None:
    assert parse(PLI + RR) == [rtcp.Pli(1, 2), rtcp.ReceiverReport(1)]
    assert parse("a0c90002 00000001 00000004" + PLI) == [rtcp.ReceiverReport(1), rtcp.Pli(1, 2)]


def test_55_a_datagram_full_of_headers() -> None:
    for count, accepted in ((packets.MAX_PACKETS, True), (packets.MAX_PACKETS + 1, False)):
        if accepted:
            assert len(rtcp.parse_compound(bytes.fromhex("80cc0000") * count)) == count
        else:
            with pytest.raises(RtpError):
                rtcp.parse_compound(bytes.fromhex("80cc0000") * count)


@pytest.mark.parametrize("stamp", [0, 1, 1 << 63, (1 << 64) - 1])
def test_56_any_ntp_time_is_a_time(stamp: int) -> None:
    (report,) = rtcp.parse_compound(rtcp.build_sender_report(rtcp.SenderReport(1, stamp, 2, 3, 4)))
    assert isinstance(report, rtcp.SenderReport)
    assert -1e8 < ntp.to_unix(report.ntp) < 5e9


def test_57_reports_that_lie_are_read_as_they_are() -> None:
    block = rtcp.ReportBlock(1, 255, -0x800000, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    (report,) = rtcp.parse_compound(rtcp.build_receiver_report(rtcp.ReceiverReport(2, (block,))))
    assert isinstance(report, rtcp.ReceiverReport)
    assert report.reports == (block,)


@pytest.mark.parametrize(("last", "delay"), [(0, 0), (0x20001, 0), (0x10000, 0x10001), (0x10000, 0xFFFFFFF)])
def test_57_round_trips_before_they_began(last: int, delay: int) -> None:
    assert ntp.round_trip_s(0x20000, last, delay) is None


def test_58_a_nack_of_everything_is_cut() -> None:
    body = bytes.fromhex("00000001 00000002") + b"".join(
        (17 * field & 0xFFFF).to_bytes(2, "big") + b"\xff\xff" for field in range(16_000)
    )
    data = b"\x81\xcd" + (len(body) // 4).to_bytes(2, "big") + body
    (nack,) = rtcp.parse_compound(data)
    assert isinstance(nack, rtcp.Nack)
    assert nack.lost == tuple(range(packets.MAX_NACKED))
    assert timeit.timeit(lambda: rtcp.parse_compound(data), number=10) < 0.5


def test_58_a_nack_of_nothing() -> None:
    with pytest.raises(RtpError):
        parse("81cd0002 00000001 00000002")


def test_59_a_fir_with_many_entries_is_cut() -> None:
    (fir,) = rtcp.parse_compound(rtcp.build_fir(1, [rtcp.FirRequest(n, n % 256) for n in range(180)]))
    assert isinstance(fir, rtcp.Fir)
    assert len(fir.requests) == packets.MAX_FIR_REQUESTS


@pytest.mark.parametrize("text", ["84ce0002 00000001 00000000", "84ce0003 00000001 00000000 00000002"])
def test_59_a_fir_without_a_whole_entry(text: str) -> None:
    with pytest.raises(RtpError):
        parse(text)


@pytest.mark.parametrize(
    ("value", "bitrate_bps"),
    [
        ("000000", 0),
        ("ffffff", packets.MAX_BITRATE_BPS),
        ("fc0001", packets.MAX_BITRATE_BPS),
        ("b80001", 1 << 46),
    ],
)
def test_60_remb_of_any_size(value: str, bitrate_bps: int) -> None:
    (remb,) = parse(f"8fce0004 00000001 00000000 52454d42 00{value}")
    assert remb == rtcp.Remb(1, bitrate_bps, ())


@pytest.mark.parametrize(
    "text", ["8fce0004 00000001 00000000 52454d42 ff000001", "8fce0003 00000001 00000000 52454d42"]
)
def test_60_remb_shorter_than_it_says(text: str) -> None:
    with pytest.raises(RtpError):
        parse(text)


@pytest.mark.parametrize(
    "rest",
    [
        "000affff 00000207 3fff 0000",  # 65 535 statuses
        "000a0000 00000207 0000 0000",  # none at all
        "000a0005 00000207 e400 0000",  # the reserved status in a vector
        "000a0005 00000207 6005 0000",  # and in a run
        "000a0005 00000207 2005 0102",  # five deltas, two there
        "000a0009 00000207 0001 0001",  # nine statuses, two there
    ],
)
def test_61_feedback(rest: str) -> None:
    body = bytes.fromhex("00000001 00000002" + rest)
    with pytest.raises(RtpError):
        twcc.parse_feedback(b"\x8f\xcd" + (len(body) // 4).to_bytes(2, "big") + body)


def test_61_a_run_longer_than_the_count_is_cut() -> None:
    statuses = twcc.parse_feedback(bytes.fromhex("8fcd0005 00000001 00000002 fffe0003 00000207 1fff 0000"))
    assert statuses == [(65534, None), (65535, None), (0, None)]


def test_61_deltas_before_the_reference_time() -> None:
    statuses = twcc.parse_feedback(bytes.fromhex("8fcd0005 00000001 00000002 00010001 00000007 4001 8000"))
    assert statuses == [(1, -0x8000 * 250)]


def test_61_runs_of_no_length_end_with_the_packet() -> None:
    body = bytes.fromhex("00000001 00000002 000a0005 00000207") + bytes(60_000)
    with pytest.raises(RtpError):
        twcc.parse_feedback(b"\x8f\xcd" + (len(body) // 4).to_bytes(2, "big") + body)


@pytest.mark.parametrize(
    "text",
    [
        "81cb0002 00000001 ff616263",  # BYE with a reason past the end
        "82cb0001 00000001",  # more sources than there are
        "81ca0001 00000001",  # SDES without terminator
        "81ca0002 00000001 01ff6162",  # CNAME past the end
        "81ca0002 00000001 01026101",  # an item that ends before its length
        "82ca0002 00000001 00000000",  # more chunks than there are
        "80cf0002 00000001 0400ffff",  # XR block past the end
        "80cf0003 00000001 04000001 00000000",  # reference time of 32 bits
        "80cf0003 00000001 05000001 00000000",  # a third of a DLRR
    ],
)
def test_62_names_and_goodbyes(text: str) -> None:
    with pytest.raises(RtpError):
        parse(text)


def test_62_the_longest_name_and_what_nobody_knows() -> None:
    (sdes,) = rtcp.parse_compound(rtcp.build_sdes([rtcp.SdesChunk(1, "n" * 255)]))
    assert sdes == rtcp.Sdes((rtcp.SdesChunk(1, "n" * 255),))
    assert parse("80cc0002 00000001 61626364 83cd0004" + "00000001" * 4) == [
        rtcp.Unknown(204, 0),
        rtcp.Unknown(205, 3),
    ]


def test_63_tiny_packets_of_reduced_size_are_cheap() -> None:
    data = bytes.fromhex(PLI)
    assert timeit.timeit(lambda: rtcp.parse_compound(data), number=1000) < 0.2
