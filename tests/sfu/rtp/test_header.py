"""RTP fixed header and demultiplexing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.rtp.errors import RtpError
from sfu.rtp.header import PacketClass, build_header, demux, parse_header

U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)


def parse(packet: bytes):
    return parse_header(memoryview(packet), len(packet))


def test_demux_sorts_the_whole_first_byte() -> None:
    kinds = [demux(first, 0) for first in range(256)]
    assert kinds[0:4] == [PacketClass.STUN] * 4
    assert kinds[4:20] == [PacketClass.UNKNOWN] * 16
    assert kinds[20:64] == [PacketClass.DTLS] * 44
    assert kinds[64:128] == [PacketClass.UNKNOWN] * 64
    assert kinds[128:192] == [PacketClass.RTP] * 64
    assert kinds[192:256] == [PacketClass.UNKNOWN] * 64


def test_demux_takes_payload_types_64_to_95_with_marker_for_rtcp() -> None:
    rtcp = [second for second in range(256) if demux(0x80, second) is PacketClass.RTCP]
    assert rtcp == list(range(192, 224))


def test_header_fields_of_a_packet_written_by_hand() -> None:
    packet = bytes.fromhex("b2e0 1234 89abcdef 01020304 0a0a0a0a 0b0b0b0b bede0001 10300000 ffff 0002")
    header = parse(packet)
    assert header.marker
    assert header.payload_type == 96
    assert header.sequence == 0x1234
    assert header.timestamp == 0x89ABCDEF
    assert header.ssrc == 0x01020304
    assert (header.extension_profile, header.extension_start, header.extension_end) == (0xBEDE, 24, 28)
    assert (header.payload_start, header.payload_end) == (28, 30)


def test_no_extension_leaves_profile_zero() -> None:
    header = parse(build_header(payload_type=0, sequence=1, timestamp=2, ssrc=3) + b"abc")
    assert header[5:] == (0, 12, 12, 12, 15)


@given(
    marker=st.booleans(),
    payload_type=st.integers(0, 127),
    sequence=U16,
    timestamp=U32,
    ssrc=U32,
    csrcs=st.lists(U32, max_size=15),
    words=st.integers(-1, 6),
    payload=st.binary(max_size=40),
    padding=st.integers(0, 20),
)
def test_round_trip(marker, payload_type, sequence, timestamp, ssrc, csrcs, words, payload, padding) -> None:
    extension = b"" if words < 0 else b"\xbe\xde" + words.to_bytes(2, "big") + bytes(4 * words)
    packet = build_header(
        marker=marker,
        payload_type=payload_type,
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        csrcs=csrcs,
        extension=extension,
        padding=padding > 0,
    )
    packet += payload
    if padding:
        packet += bytes(padding - 1) + bytes((padding,))
    header = parse(packet)
    assert header[:5] == (marker, payload_type, sequence, timestamp, ssrc)
    assert header.extension_profile == (0 if words < 0 else 0xBEDE)
    assert header.extension_end - header.extension_start == 4 * max(words, 0)
    assert packet[header.payload_start : header.payload_end] == payload


@given(st.binary(max_size=80))
def test_any_bytes_parse_inside_the_packet_or_are_refused(packet: bytes) -> None:
    try:
        header = parse(packet)
    except RtpError:
        return
    assert 12 <= header.extension_start <= header.extension_end == header.payload_start
    assert header.payload_start <= header.payload_end <= len(packet)


def test_length_bounds_what_is_read_of_an_arena() -> None:
    arena = build_header(payload_type=0, sequence=1, timestamp=2, ssrc=3) + b"abc" + bytes(100)
    assert parse_header(memoryview(arena), 15).payload_end == 15
    with pytest.raises(RtpError):
        parse_header(memoryview(arena), len(arena) + 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"payload_type": 128},
        {"payload_type": -1},
        {"sequence": 1 << 16},
        {"timestamp": 1 << 32},
        {"ssrc": -1},
        {"csrcs": range(16)},
        {"csrcs": [1 << 32]},
        {"extension": b"abc"},
    ],
    ids=str,
)
def test_build_refuses_what_does_not_fit(fields) -> None:
    with pytest.raises(RtpError):
        build_header(**{"payload_type": 0, "sequence": 0, "timestamp": 0, "ssrc": 0, **fields})
