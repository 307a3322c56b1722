"""SRTP as the engine does it, against libsrtp: what one encrypts the other reads, and both refuse alike."""

import random
import struct

import pytest

from sfu.compiled.srtp import REPORTS, WINDOW_BITS
from sfu.net import gcm
from sfu.net.errors import SrtpError
from sfu.net.srtp import AEAD_AES_128_GCM, PROFILES, WINDOW_SIZE, SrtpKeys, SrtpPair, SrtpProfile
from sfu.net.srtp_table import SrtpTable

ROW = 3
REPORT = struct.pack("!BBHII", 0x81, 201, 1, 0x1234, 5)


def rtp(number: int = 1, ssrc: int = 0x1234, payload: bytes = b"payload", *, extended: bool = False) -> bytes:
    head = struct.pack("!BBHII", 0x90 if extended else 0x80, 96, number & 0xFFFF, 3000, ssrc)
    return head + (b"\xbe\xde\0\1\x10\7\0\0" if extended else b"") + payload


def joined(profile: SrtpProfile) -> tuple[SrtpTable, SrtpPair]:
    """A table with keys, and libsrtp at the other end."""
    size = profile.key_size + profile.salt_size
    there, back = bytes(range(size)), bytes(range(100, 100 + size))
    table = SrtpTable(4)
    table.use(ROW, SrtpKeys(profile, there, back))
    return table, SrtpPair(profile, back, there)


@pytest.fixture(params=PROFILES, ids=lambda profile: profile.name)
def profile(request: pytest.FixtureRequest) -> SrtpProfile:
    chosen: SrtpProfile = request.param
    return chosen


def test_aes_gcm_does_not_need_libsrtp() -> None:
    assert gcm.takes(AEAD_AES_128_GCM)


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 120, 1150])
def test_rtp_goes_both_ways(profile: SrtpProfile, size: int, extended: bool) -> None:
    table, theirs = joined(profile)
    packet = rtp(payload=bytes(range(256)) * 5, extended=extended)[: (20 if extended else 12) + size]
    sent = table.protect(ROW, packet)
    assert sent is not None
    assert sent[12:] != packet[12:] or not size
    assert theirs.unprotect(sent) == packet
    assert table.unprotect(ROW, theirs.protect(packet)) == packet


def test_rtcp_goes_both_ways(profile: SrtpProfile) -> None:
    table, theirs = joined(profile)
    for packet in (REPORT[:8], REPORT, REPORT + bytes(400)):
        sent = table.protect(ROW, packet, rtcp=True)
        assert sent is not None
        assert theirs.unprotect_rtcp(sent) == packet
        assert table.unprotect(ROW, theirs.protect_rtcp(packet), rtcp=True) == packet


def test_contributing_sources_stay_readable(profile: SrtpProfile) -> None:
    table, theirs = joined(profile)
    packet = b"\x82" + rtp()[1:12] + b"\0\0\0\7\0\0\0\x08payload"
    sent = table.protect(ROW, packet)
    assert sent is not None
    assert sent[:20] == packet[:20]
    assert theirs.unprotect(sent) == packet


def test_numbers_roll_over_in_step(profile: SrtpProfile) -> None:
    table, theirs = joined(profile)
    for number in (*range(65_000, 66_000, 7), *range(66_000, 300_000, 1009)):
        packet = rtp(number)
        sent = table.protect(ROW, packet)
        assert sent is not None
        assert theirs.unprotect(sent) == packet
        assert table.unprotect(ROW, theirs.protect(packet)) == packet


def test_packets_may_change_places_across_a_rollover(profile: SrtpProfile) -> None:
    table, theirs = joined(profile)
    numbers = list(range(65_436, 65_636))
    sent = [theirs.protect(rtp(number)) for number in numbers]
    order = list(range(len(numbers)))
    chance = random.Random(7)
    for start in range(0, len(order), 50):
        part = order[start : start + 50]
        chance.shuffle(part)
        order[start : start + 50] = part
    assert [table.unprotect(ROW, sent[at]) for at in order] == [rtp(numbers[at]) for at in order]
    assert all(table.unprotect(ROW, packet) is None for packet in sent), "each was there before"


def test_the_window_reaches_as_far_as_libsrtps(profile: SrtpProfile) -> None:
    table, theirs = joined(profile)
    sent = [theirs.protect(rtp(number)) for number in range(WINDOW_SIZE + 1)]
    assert table.unprotect(ROW, sent[-1]) is not None
    assert table.unprotect(ROW, sent[0]) is None, "too old"
    assert all(table.unprotect(ROW, packet) is not None for packet in sent[1:-1])
    assert WINDOW_BITS == WINDOW_SIZE


def test_a_jump_forgets_what_was_in_the_window(profile: SrtpProfile) -> None:
    table, theirs = joined(profile)
    sent = {number: theirs.protect(rtp(number)) for number in (5, 6, 5 + WINDOW_BITS, 7 + WINDOW_BITS)}
    late = theirs.protect(rtp(6 + WINDOW_BITS))
    assert all(table.unprotect(ROW, packet) is not None for packet in sent.values())
    assert table.unprotect(ROW, late) is not None, "its bit was set for number 6"


def test_nothing_is_sent_twice_under_one_number(profile: SrtpProfile) -> None:
    table, _ = joined(profile)
    assert table.protect(ROW, rtp(7)) is not None
    assert table.protect(ROW, rtp(7, payload=b"another")) is None
    assert table.protect(ROW, rtp(6)) is not None
    assert table.protect(ROW, rtp(6)) is None


def test_ssrcs_and_transports_do_not_know_of_each_other(profile: SrtpProfile) -> None:
    table, theirs = joined(profile)
    size = profile.key_size + profile.salt_size
    table.use(1, SrtpKeys(profile, bytes(size), bytes(size)))
    assert all(table.protect(row, rtp(7, ssrc)) is not None for row in (1, ROW) for ssrc in (8, 9))
    sent = theirs.protect(rtp(7))
    assert table.unprotect(1, sent) is None
    assert table.unprotect(ROW, sent) == rtp(7)


def test_a_flipped_bit_costs_one_packet_and_nothing_else(profile: SrtpProfile) -> None:
    table, theirs = joined(profile)
    for rtcp, good, plain in (
        (False, theirs.protect(rtp(1, extended=True)), rtp(1, extended=True)),
        (True, theirs.protect_rtcp(REPORT), REPORT),
    ):
        for at in range(len(good)):
            bad = bytearray(good)
            bad[at] ^= 0x10
            assert table.unprotect(ROW, bytes(bad), rtcp=rtcp) is None
        assert all(table.unprotect(ROW, good[:length], rtcp=rtcp) is None for length in range(len(good)))
        assert table.unprotect(ROW, good, rtcp=rtcp) == plain
        assert table.unprotect(ROW, good, rtcp=rtcp) is None


def test_forged_packets_leave_nothing_behind(profile: SrtpProfile) -> None:
    table, theirs = joined(profile)
    chance = random.Random(38)
    for ssrc in range(3000):
        packet = bytes([chance.choice((0x80, 0x90, 0xB0, 0xBF))]) + chance.randbytes(chance.randrange(0, 80))
        assert table.unprotect(ROW, packet) is None
        assert table.unprotect(ROW, packet, rtcp=True) is None
        forged = theirs.protect(rtp(1, ssrc))[:-1] + b"\0\0"
        assert table.unprotect(ROW, forged) is None
    assert not len(table._windows)


def test_rtcp_that_is_not_encrypted_is_refused(profile: SrtpProfile) -> None:
    table, theirs = joined(profile)
    good = theirs.protect_rtcp(REPORT)
    trailer = len(good) - 4 if "GCM" in profile.name else len(good) - 14
    assert (
        table.unprotect(ROW, good[:trailer] + bytes([good[trailer] ^ 0x80]) + good[trailer + 1 :], rtcp=True)
        is None
    )


def test_the_numbers_of_rtcp_come_to_an_end() -> None:
    """The key may not be used any longer (RFC 3711 section 9.2)."""
    table, theirs = joined(AEAD_AES_128_GCM)
    table._keys[ROW, REPORTS] = 2**31 - 2
    sent = table.protect(ROW, REPORT, rtcp=True)
    assert sent is not None
    assert theirs.unprotect_rtcp(sent) == REPORT
    assert table.protect(ROW, REPORT, rtcp=True) is None


def test_what_is_forgotten_begins_afresh(profile: SrtpProfile) -> None:
    table, theirs = joined(profile)
    packet, report = theirs.protect(rtp(7)), theirs.protect_rtcp(REPORT)
    for _ in range(2):
        assert table.protect(ROW, rtp(7)) is not None
        assert table.unprotect(ROW, packet) == rtp(7)
        assert table.unprotect(ROW, report, rtcp=True) == REPORT
        table.forget_sent(ROW, 0x1234)
        table.forget_received(ROW, 0x1234)
    assert not len(table._windows)


def test_a_released_row_has_no_keys_and_remembers_nothing(profile: SrtpProfile) -> None:
    table, theirs = joined(profile)
    for ssrc in range(100):
        assert table.protect(ROW, rtp(7, ssrc)) is not None
    sent = theirs.protect(rtp(7))
    table.release(ROW)
    assert not table.keyed(ROW)
    assert table.protect(ROW, rtp(7)) is None
    assert table.unprotect(ROW, sent) is None
    assert not len(table._windows)
    table.release(ROW)


def test_thousands_of_streams_find_room() -> None:
    table, theirs = joined(AEAD_AES_128_GCM)
    for ssrc in range(3000):
        sent = table.protect(ROW, rtp(7, ssrc))
        assert sent is not None
    assert theirs.unprotect(sent) == rtp(7, 2999)
    assert all(table.protect(ROW, rtp(7, ssrc)) is None for ssrc in range(3000)), "all are remembered"


@pytest.mark.parametrize("size", [0, 27, 29, 46])
def test_keys_of_a_wrong_size_are_refused(size: int) -> None:
    table = SrtpTable(4)
    for keys in ((bytes(size), bytes(28)), (bytes(28), bytes(size))):
        with pytest.raises(SrtpError):
            table.use(ROW, SrtpKeys(AEAD_AES_128_GCM, *keys))
        assert not table.keyed(ROW)
