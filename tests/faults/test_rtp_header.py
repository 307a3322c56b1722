"""Fault plan 29 to 31 and 51: RTP headers that lie about what follows them."""

import timeit

import pytest

from sfu.rtp.errors import RtpError
from sfu.rtp.extensions import walk
from sfu.rtp.header import PacketClass, build_header, demux, parse_header

FIXED = bytes.fromhex("8060 0001 00000002 00000003")
EXTENDED = b"\x90" + FIXED[1:]
PADDED = b"\xa0" + FIXED[1:]


def read(packet: bytes):
    header = parse_header(memoryview(packet), len(packet))
    return header, walk(
        memoryview(packet), header.extension_profile, header.extension_start, header.extension_end
    )


@pytest.mark.parametrize("length", range(12))
def test_29_shorter_than_a_header(length: int) -> None:
    with pytest.raises(RtpError):
        read(FIXED[:length])


@pytest.mark.parametrize("version", [0, 1, 3])
def test_29_another_version(version: int) -> None:
    with pytest.raises(RtpError):
        read(bytes((version << 6,)) + FIXED[1:] + b"payload")


@pytest.mark.parametrize("length", range(12, 72))
def test_29_fifteen_csrcs_that_are_not_there(length: int) -> None:
    with pytest.raises(RtpError):
        read((b"\x8f" + FIXED[1:] + bytes(100))[:length])


@pytest.mark.parametrize("rest", ["", "be", "bede00", "bede0001", "bede0001 101010", "bedeffff 1010"])
def test_29_truncated_extension(rest: str) -> None:
    with pytest.raises(RtpError):
        read(EXTENDED + bytes.fromhex(rest))


@pytest.mark.parametrize("rest", ["00", "02", "ff", "aaaa04", "aaff"])
def test_30_padding_of_no_length_or_more_than_there_is(rest: str) -> None:
    with pytest.raises(RtpError):
        read(PADDED + bytes.fromhex(rest))


def test_30_padding_that_reaches_into_the_extension() -> None:
    with pytest.raises(RtpError):
        read(b"\xb0" + FIXED[1:] + bytes.fromhex("bede0001 10aa0000 02 02 04"))


def test_30_padding_bit_on_a_bare_header_reads_its_last_byte() -> None:
    with pytest.raises(RtpError):
        read(PADDED)


@pytest.mark.parametrize(
    ("block", "elements"),
    [
        ("bede 0002 10aa f0ff 20bb 0000", [(1, 17, 1)]),  # id 15 ends the reading
        ("bede 0002 00000000 00000000", []),  # padding alone
        ("bede 0001 10aa 10bb", [(1, 17, 1), (1, 19, 1)]),  # one id twice
        ("abcd 0001 ffffffff", []),  # a profile nobody knows
        ("0000 0001 ffffffff", []),
    ],
)
def test_31_odd_extension_blocks_are_read_as_far_as_they_mean_something(block: str, elements: list) -> None:
    header, found = read(EXTENDED + bytes.fromhex(block) + b"x")
    assert found == elements
    assert header.payload_end - header.payload_start == 1


@pytest.mark.parametrize("block", ["bede 0001 1faaaaaa", "1000 0001 01ffaaaa", "1000 0001 00000001"])
def test_31_elements_past_their_block(block: str) -> None:
    with pytest.raises(RtpError):
        read(EXTENDED + bytes.fromhex(block) + bytes(300))


def test_31_the_longest_block_is_walked_in_time_linear_to_its_length() -> None:
    for profile, element in ((0xBEDE, b"\x10\xaa"), (0x1000, b"\x01\x00"), (0xBEDE, b"\0\0")):
        packet = EXTENDED + profile.to_bytes(2, "big") + b"\x3f\xf0" + element * (0x3FF0 * 2)
        assert timeit.timeit(lambda packet=packet: read(packet), number=1) < 0.5


@pytest.mark.parametrize("length", [1501, 9000, 65507])
def test_51_datagrams_above_any_mtu(length: int) -> None:
    packet = build_header(payload_type=96, sequence=1, timestamp=2, ssrc=3).ljust(length, b"\xff")
    assert read(packet)[0].payload_end == length


def test_51_a_datagram_of_nothing() -> None:
    with pytest.raises(RtpError):
        read(b"")


def test_32_payload_types_64_to_95_with_marker_look_like_rtcp() -> None:
    for payload_type in range(128):
        packet = build_header(payload_type=payload_type, sequence=1, timestamp=2, ssrc=3, marker=True)
        expected = PacketClass.RTCP if 64 <= payload_type <= 95 else PacketClass.RTP
        assert demux(packet[0], packet[1]) is expected
