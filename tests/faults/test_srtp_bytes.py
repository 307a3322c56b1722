"""Fault plan 38 and 39: forged, cut, flipped and replayed SRTP and SRTCP."""

import random
import struct

import pytest

from sfu.net.srtp import PROFILES, SrtpPair, SrtpProfile

REPORT = struct.pack("!BBHI", 0x80, 201, 1, 7)


def rtp(sequence: int, payload: bytes = b"payload of some length") -> bytes:
    return struct.pack("!BBHII", 0x80, 96, sequence & 0xFFFF, 3000, 7) + payload


def joined(profile: SrtpProfile) -> tuple[SrtpPair, SrtpPair]:
    key = bytes(profile.key_size + profile.salt_size)
    return SrtpPair(profile, key, key), SrtpPair(profile, key, key)


@pytest.fixture(params=PROFILES, ids=lambda profile: profile.name)
def profile(request: pytest.FixtureRequest) -> SrtpProfile:
    chosen: SrtpProfile = request.param
    return chosen


def test_srtp_auth_any_flipped_bit(profile: SrtpProfile) -> None:
    sender, receiver = joined(profile)
    good = sender.protect(rtp(1))
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 0x10
        assert receiver.unprotect(bytes(bad)) is None
    assert receiver.rejected == len(good)
    assert receiver.unprotect(good) == rtp(1)


def test_srtp_auth_cut_at_every_length(profile: SrtpProfile) -> None:
    sender, receiver = joined(profile)
    for good, take in (
        (sender.protect(rtp(1)), receiver.unprotect),
        (sender.protect_rtcp(REPORT), receiver.unprotect_rtcp),
    ):
        assert all(take(good[:length]) is None for length in range(len(good)))
        assert take(good) is not None


def test_srtp_auth_payload_shorter_than_the_tag(profile: SrtpProfile) -> None:
    _, receiver = joined(profile)
    for length in range(40):
        for head in (b"\x80\x60", b"\x90\x60", b"\x8f\x60", b"\xbf\xe0", b"\xa0\xc9"):
            packet = (head + bytes(length))[:length]
            assert receiver.unprotect(packet) is None
            assert receiver.unprotect_rtcp(packet) is None


def test_srtcp_e_flag_flipped_and_index_replayed(profile: SrtpProfile) -> None:
    sender, receiver = joined(profile)
    good = sender.protect_rtcp(REPORT)
    trailer = len(good) - 4 if "GCM" in profile.name else len(good) - 14
    bad = bytearray(good)
    bad[trailer] ^= 0x80
    assert receiver.unprotect_rtcp(bytes(bad)) is None
    assert receiver.unprotect_rtcp(good) == REPORT
    assert receiver.unprotect_rtcp(good) is None


def test_srtp_replay_exact_and_after_half_the_sequence_space(profile: SrtpProfile) -> None:
    sender, receiver = joined(profile)
    first = sender.protect(rtp(0))
    assert receiver.unprotect(first) is not None
    assert receiver.unprotect(first) is None
    for sequence in range(1, 2**15 + 2):
        assert receiver.unprotect(sender.protect(rtp(sequence))) is not None
    assert receiver.unprotect(first) is None


def test_srtp_random_bytes(profile: SrtpProfile) -> None:
    _, receiver = joined(profile)
    chance = random.Random(38)
    for _ in range(3000):
        packet = bytes([chance.choice((0x80, 0x90, 0xB0, 0xBF))]) + chance.randbytes(chance.randrange(0, 80))
        assert receiver.unprotect(packet) is None
        assert receiver.unprotect_rtcp(packet) is None
