"""RTCP, written and read."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.rtp import rtcp, twcc
from sfu.rtp.errors import RtpError
from sfu.rtp.rtcp import packets

U8 = st.integers(0, 0xFF)
U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)
U64 = st.integers(0, 2**64 - 1)
BLOCKS = st.lists(
    st.builds(rtcp.ReportBlock, U32, U8, st.integers(-(1 << 23), (1 << 23) - 1), U32, U32, U32, U32),
    max_size=31,
).map(tuple)
NAMES = st.text(max_size=60)


@given(st.builds(rtcp.SenderReport, U32, U64, U32, U32, U32, BLOCKS), NAMES)
def test_sender_report(report: rtcp.SenderReport, cname: str) -> None:
    expected = [report]
    if cname:
        expected.append(rtcp.Sdes((rtcp.SdesChunk(report.ssrc, cname),)))
    assert rtcp.parse_compound(rtcp.build_sender_report(report, cname)) == expected


@given(st.builds(rtcp.ReceiverReport, U32, BLOCKS))
def test_receiver_report(report: rtcp.ReceiverReport) -> None:
    assert rtcp.parse_compound(memoryview(rtcp.build_receiver_report(report))) == [report]


@given(st.lists(st.builds(rtcp.SdesChunk, U32, NAMES), max_size=31))
def test_sdes(chunks: list[rtcp.SdesChunk]) -> None:
    assert rtcp.parse_compound(rtcp.build_sdes(chunks)) == [rtcp.Sdes(tuple(chunks))]


@given(st.lists(U32, max_size=31), NAMES)
def test_bye(ssrcs: list[int], reason: str) -> None:
    assert rtcp.parse_compound(rtcp.build_bye(ssrcs, reason)) == [rtcp.Bye(tuple(ssrcs), reason)]


@given(U32, U32, st.sets(U16, min_size=1, max_size=250))
def test_nack_of_any_set(sender: int, media: int, lost: set[int]) -> None:
    (nack,) = rtcp.parse_compound(rtcp.build_nack(sender, media, lost))
    assert isinstance(nack, rtcp.Nack)
    assert (nack.sender_ssrc, nack.media_ssrc) == (sender, media)
    assert sorted(nack.lost) == sorted(lost)


@given(U16, st.integers(1, 1000))
def test_nack_of_a_run_is_as_short_as_can_be(first: int, count: int) -> None:
    lost = [first + i & 0xFFFF for i in range(count)]
    assert len(rtcp.build_nack(1, 2, lost)) == 12 + 4 * -(-count // 17)


@given(U32, U32)
def test_pli(sender: int, media: int) -> None:
    assert rtcp.parse_compound(rtcp.build_pli(sender, media)) == [rtcp.Pli(sender, media)]


@given(U32, st.lists(st.builds(rtcp.FirRequest, U32, U8), min_size=1, max_size=packets.MAX_FIR_REQUESTS))
def test_fir(sender: int, requests: list[rtcp.FirRequest]) -> None:
    assert rtcp.parse_compound(rtcp.build_fir(sender, requests)) == [rtcp.Fir(sender, tuple(requests))]


@given(U32, st.integers(0, packets.MAX_BITRATE_BPS), st.lists(U32, max_size=255))
def test_remb_keeps_18_bits(sender: int, bitrate_bps: int, ssrcs: list[int]) -> None:
    (remb,) = rtcp.parse_compound(rtcp.build_remb(sender, bitrate_bps, ssrcs))
    assert isinstance(remb, rtcp.Remb)
    assert (remb.sender_ssrc, remb.ssrcs) == (sender, tuple(ssrcs))
    assert 0 <= bitrate_bps - remb.bitrate_bps <= bitrate_bps >> 17


@given(
    st.builds(
        rtcp.ExtendedReport,
        U32,
        st.none() | U64,
        st.lists(st.builds(rtcp.Dlrr, U32, U32, U32), max_size=packets.MAX_DLRR).map(tuple),
    )
)
def test_extended_report(report: rtcp.ExtendedReport) -> None:
    assert rtcp.parse_compound(rtcp.build_extended_report(report)) == [report]


def test_bytes_written_by_hand() -> None:
    compound = bytes.fromhex(
        "81c90007 00000001 00000002 40fffffe 00010005 00000006 00000007 00000008"  # RR, 2 more than expected
        "81ca0003 00000001 01026162 00000000"  # SDES "ab"
        "81cd0003 00000001 00000002 fffe8001"  # NACK 65534, 65535, 14
        "81ce0002 00000001 00000002"  # PLI
        "84ce0004 00000001 00000000 00000002 05000000"  # FIR
        "8fce0005 00000001 00000000 52454d42 0106ddd0 00000002"  # REMB 187 856 x 2
    )
    assert rtcp.parse_compound(compound) == [
        rtcp.ReceiverReport(1, (rtcp.ReportBlock(2, 64, -2, 0x10005, 6, 7, 8),)),
        rtcp.Sdes((rtcp.SdesChunk(1, "ab"),)),
        rtcp.Nack(1, 2, (65534, 65535, 14)),
        rtcp.Pli(1, 2),
        rtcp.Fir(1, (rtcp.FirRequest(2, 5),)),
        rtcp.Remb(1, 187_856 << 1, (2,)),
    ]


def test_profile_extensions_unknown_items_and_blocks_are_skipped() -> None:
    compound = bytes.fromhex(
        "80c90003 00000001 deadbeef deadbeef"  # RR with eight bytes of a profile's own
        "81ca0004 00000001 0202 6e6f 0102 6162 00000000"  # SDES: NAME, CNAME
        "80cf0007 00000001 63000002 0000000000000000 04000002"
        "0000000100000002"  # XR: block 99, reference time
    )
    assert rtcp.parse_compound(compound) == [
        rtcp.ReceiverReport(1),
        rtcp.Sdes((rtcp.SdesChunk(1, "ab"),)),
        rtcp.ExtendedReport(1, 0x1_0000_0002),
    ]


@pytest.mark.parametrize(
    ("packet", "unknown"),
    [
        ("82cc0002 00000001 61626364", rtcp.Unknown(204, 2)),
        ("83cd0004 00000001 00000002 00000003 00000004", rtcp.Unknown(205, 3)),
        ("8bcd0002 00000001 00000002", rtcp.Unknown(205, 11)),
        ("8fce0003 00000001 00000000 41424344", rtcp.Unknown(206, 15)),
        ("80c00000", rtcp.Unknown(192, 0)),
    ],
    ids=["app", "tmmbr", "ccfb", "afb", "fir-of-rfc2032"],
)
def test_unknown_packets_are_named(packet: str, unknown: rtcp.Unknown) -> None:
    assert rtcp.parse_compound(bytes.fromhex(packet)) == [unknown]


def test_padding_is_left_out() -> None:
    assert rtcp.parse_compound(bytes.fromhex("a1cb0002 00000001 00000004")) == [rtcp.Bye((1,))]


def test_cnames_that_are_not_utf8_are_readable() -> None:
    (sdes,) = rtcp.parse_compound(bytes.fromhex("81ca0003 00000001 0102ff61 00000000"))
    assert sdes == rtcp.Sdes((rtcp.SdesChunk(1, "\ufffda"),))


def test_lists_are_cut_at_their_limits() -> None:
    body = bytes.fromhex("0000000100000002") + b"\x00\x01\xff\xff" * 300
    (nack,) = rtcp.parse_compound(b"\x81\xcd" + (len(body) // 4).to_bytes(2, "big") + body)
    assert isinstance(nack, rtcp.Nack)
    assert len(nack.lost) == packets.MAX_NACKED
    (fir,) = rtcp.parse_compound(rtcp.build_fir(1, [rtcp.FirRequest(2, 3)] * 100))
    assert isinstance(fir, rtcp.Fir)
    assert len(fir.requests) == packets.MAX_FIR_REQUESTS
    report = rtcp.ExtendedReport(1, None, (rtcp.Dlrr(1, 2, 3),) * 100)
    (report,) = rtcp.parse_compound(rtcp.build_extended_report(report))
    assert len(report.dlrr) == packets.MAX_DLRR


def test_remb_beyond_63_bits_is_cut() -> None:
    (remb,) = rtcp.parse_compound(bytes.fromhex("8fce0004 00000001 00000000 52454d42 00ffffff"))
    assert remb == rtcp.Remb(1, packets.MAX_BITRATE_BPS, ())


def test_counters_wrap_and_loss_stops_at_24_bits() -> None:
    block = rtcp.ReportBlock(1, 2, 1 << 30, 3, 4, 5, 6)
    (report,) = rtcp.parse_compound(
        rtcp.build_sender_report(rtcp.SenderReport(1, 2, 3, (1 << 32) + 4, (1 << 33) + 5, (block,)))
    )
    assert isinstance(report, rtcp.SenderReport)
    assert (report.packet_count, report.octet_count) == (4, 5)
    assert report.reports[0].cumulative_lost == (1 << 23) - 1


@pytest.mark.parametrize(
    "build",
    [
        lambda: rtcp.build_receiver_report(rtcp.ReceiverReport(1 << 32)),
        lambda: rtcp.build_receiver_report(rtcp.ReceiverReport(1, (rtcp.ReportBlock(*[0] * 7),) * 32)),
        lambda: rtcp.build_sdes([rtcp.SdesChunk(1, "a" * 256)]),
        lambda: rtcp.build_bye([1], "a" * 256),
        lambda: rtcp.build_nack(1, 2, []),
        lambda: rtcp.build_nack(1, 2, [1 << 16]),
        lambda: rtcp.build_nack(1, 2, range(0, 20 * 300, 20)),
        lambda: rtcp.build_fir(1, [rtcp.FirRequest(2, 256)]),
        lambda: rtcp.build_remb(1, -1, []),
        lambda: rtcp.build_remb(1, 1 << 90, []),
        lambda: rtcp.build_remb(1, 1, [2] * 256),
    ],
)
def test_builders_refuse_what_does_not_fit(build) -> None:
    with pytest.raises(RtpError):
        build()


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        rtcp.parse_compound(data)
    except RtpError:
        return


@given(st.integers(200, 207), st.integers(0, 31), st.binary(max_size=80))
def test_any_body_is_read_or_refused(packet_type: int, count: int, body: bytes) -> None:
    body += bytes(-len(body) % 4)
    packet = bytes((0x80 | count, packet_type)) + (len(body) // 4).to_bytes(2, "big") + body
    try:
        assert len(rtcp.parse_compound(packet)) == 1
    except RtpError:
        return


def _parsed(data: bytes) -> list[rtcp.Packet] | None:
    try:
        return rtcp.parse_compound(data)
    except RtpError:
        return None


REMB = rtcp.build_remb(9, 50_000_000, [1, 2])
PLAIN = st.one_of(
    st.builds(rtcp.ReceiverReport, U32, BLOCKS).map(rtcp.build_receiver_report),
    st.builds(rtcp.SenderReport, U32, U64, U32, U32, U32, BLOCKS).map(rtcp.build_sender_report),
    NAMES.map(lambda cname: rtcp.build_sdes([rtcp.SdesChunk(1, cname)])),
    st.just(REMB),
)
OTHERS = st.sampled_from(
    [
        rtcp.build_pli(1, 2),
        twcc.build_feedback(1, 2, [(1, 1000), (2, 2000)], 7)[0],
        rtcp.build_sdes([rtcp.SdesChunk(1, "a"), rtcp.SdesChunk(2, "b")]),
        rtcp.build_bye([1]),
        REMB[:-4],
        b"\x80",
    ]
)


@given(
    st.lists(st.one_of(PLAIN, PLAIN, PLAIN, OTHERS), max_size=5),
    st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from([0, 1, 2, 3, 8, 9, 12, 16, -1]), st.integers(0, 255))
    ),
    st.integers(0, 4),
)
def test_the_short_way_says_what_the_long_way_would(
    packets: list[bytes], bent: list[tuple[int, int, int]], cut: int
) -> None:
    """On good packets, on such whose first bytes and padding are wrong, and in company."""
    raw = [bytearray(packet) for packet in packets]
    for number, at, value in bent if raw else ():
        packet = raw[number % len(raw)]
        if -len(packet) <= at < len(packet):
            packet[at] = value
    data = b"".join(raw)
    data = data[: len(data) - cut]
    found = rtcp.plain_reports(data)
    if found is None:
        return
    expected = _parsed(data)
    assert expected is not None
    assert all(
        isinstance(packet, rtcp.SenderReport | rtcp.ReceiverReport | rtcp.Sdes | rtcp.Remb)
        for packet in expected
    )
    senders, blocks = found
    assert senders == [
        (one.ssrc, one.ntp, one.rtp_timestamp, one.packet_count, one.octet_count)
        for one in expected
        if isinstance(one, rtcp.SenderReport)
    ]
    assert blocks == [
        block.words
        for one in expected
        if isinstance(one, rtcp.SenderReport | rtcp.ReceiverReport)
        for block in one.reports
    ]


def test_the_usual_packets_go_the_short_way() -> None:
    for total in (0, 1, 31):
        blocks = (rtcp.ReportBlock(1, 2, -3, 4, 5, 6, 7),) * total
        received = rtcp.build_receiver_report(rtcp.ReceiverReport(9, blocks))
        sent = rtcp.build_sender_report(rtcp.SenderReport(1, 2, 3, 4, 5, blocks), "someone")
        info = (1, 2, 3, 4, 5)
        assert rtcp.plain_reports(received) == ([], [blocks[0].words] * total if total else [])
        for data, reports in ((received + REMB, 1), (sent, 1), (sent + sent + received + REMB, 3)):
            found = rtcp.plain_reports(data)
            assert found is not None
            assert found[0] == [info] * data.count(sent)
            assert len(found[1]) == reports * total
        assert rtcp.plain_reports(received + rtcp.build_pli(1, 2)) is None
    assert rtcp.plain_reports(b"") is None


@given(BLOCKS)
def test_the_words_of_a_block_are_those_of_the_wire(blocks: tuple[rtcp.ReportBlock, ...]) -> None:
    for block in blocks:
        words = block.words
        assert words[1] >> 24 == block.fraction_lost
        assert rtcp.signed24(words[1]) == block.cumulative_lost
        assert rtcp.build_receiver_report(rtcp.ReceiverReport(1, (block,)))[8:] == struct.pack("!6I", *words)
