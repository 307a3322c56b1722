"""SRTP pairs: two of them joined, in every profile, by value and in place."""

import struct

import pytest

from sfu.net import srtp
from sfu.net.errors import SrtpError
from sfu.net.srtp import AEAD_AES_128_GCM, AES128_CM_SHA1_80, PROFILES, SrtpPair, SrtpProfile

RECEIVER_REPORT = struct.pack("!BBHI", 0x80, 201, 1, 0x1234)


def rtp(sequence: int = 1, ssrc: int = 0x1234, payload: bytes = b"payload") -> bytes:
    return struct.pack("!BBHII", 0x80, 96, sequence, 3000, ssrc) + payload


def pairs(profile: SrtpProfile) -> tuple[SrtpPair, SrtpPair]:
    size = profile.key_size + profile.salt_size
    there, back = bytes(range(size)), bytes(range(100, 100 + size))
    return SrtpPair(profile, there, back), SrtpPair(profile, back, there)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_both_directions_carry_rtp_and_rtcp(profile: SrtpProfile) -> None:
    for ours, theirs in (pairs(profile), reversed(pairs(profile))):
        sent = ours.protect(rtp())
        assert len(rtp()) < len(sent) <= len(rtp()) + srtp.RTP_OVERHEAD
        assert theirs.unprotect(sent) == rtp()
        sent = ours.protect_rtcp(RECEIVER_REPORT)
        assert len(RECEIVER_REPORT) < len(sent) <= len(RECEIVER_REPORT) + srtp.RTCP_OVERHEAD
        assert theirs.unprotect_rtcp(sent) == RECEIVER_REPORT


@pytest.mark.parametrize("size", [1500, 9000, 60_000])
def test_packets_beyond_an_ethernet_frame_fit(size: int) -> None:
    ours, theirs = pairs(AEAD_AES_128_GCM)
    packet = rtp(payload=bytes(size))
    assert theirs.unprotect(ours.protect(packet)) == packet


def test_the_raw_functions_work_in_place_on_the_pointers() -> None:
    ours, theirs = pairs(AEAD_AES_128_GCM)
    arena = bytearray(rtp() + bytes(srtp.RTP_OVERHEAD))
    length = srtp.ffi.new("int *", len(rtp()))
    assert srtp.protect(ours.tx_ptr, srtp.ffi.from_buffer(arena), length) == srtp.OK
    assert length[0] == len(arena)
    assert srtp.unprotect(theirs.rx_ptr, srtp.ffi.from_buffer(arena), length) == srtp.OK
    assert arena[: length[0]] == rtp()


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_reordering_of_a_thousand_packets_is_tolerated(profile: SrtpProfile) -> None:
    ours, theirs = pairs(profile)
    sent = [ours.protect(rtp(sequence)) for sequence in range(1, 1025)]
    assert theirs.unprotect(sent[-1]) is not None
    assert all(theirs.unprotect(packet) is not None for packet in sent[:-1])


def test_sending_a_sequence_number_again_is_refused() -> None:
    """Under AES-GCM it would reuse a nonce: retransmissions have an SSRC of their own."""
    ours, _ = pairs(AEAD_AES_128_GCM)
    ours.protect(rtp(7))
    with pytest.raises(SrtpError):
        ours.protect(rtp(7, payload=b"another"))


def test_a_removed_stream_starts_afresh() -> None:
    ours, theirs = pairs(AES128_CM_SHA1_80)
    assert theirs.unprotect(ours.protect(rtp(7))) is not None
    ours.remove_stream(0x1234)
    theirs.remove_stream(0x1234)
    theirs.remove_stream(0xDEAD)
    assert theirs.unprotect(ours.protect(rtp(7))) is not None


def test_a_closed_pair_has_no_pointers_and_refuses_work() -> None:
    ours, theirs = pairs(AEAD_AES_128_GCM)
    sent = theirs.protect(rtp())
    ours.close()
    ours.close()
    assert ours.rx_ptr is None
    assert ours.tx_ptr is None
    assert ours.unprotect(sent) is None
    ours.remove_stream(1)
    with pytest.raises(SrtpError):
        ours.protect(rtp())


@pytest.mark.parametrize("size", [0, 27, 29, 46])
def test_keys_of_a_wrong_size_are_refused(size: int) -> None:
    with pytest.raises(SrtpError):
        SrtpPair(AEAD_AES_128_GCM, bytes(size), bytes(28))


def test_what_is_no_packet_is_not_sent() -> None:
    ours, _ = pairs(AEAD_AES_128_GCM)
    for packet in (b"", rtp()[:11], rtp(payload=bytes(70_000))):
        with pytest.raises(SrtpError):
            ours.protect(packet)
