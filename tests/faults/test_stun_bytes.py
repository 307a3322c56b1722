"""Fault plan 1 to 8, 12 and 13: STUN that is broken, foreign or unsigned is ignored and validates nothing."""

import os
import time
import timeit

import pytest

from sfu.net import stun
from sfu.net.credentials import Credentials
from sfu.net.errors import StunError
from sfu.net.ice import IceLite

OURS = Credentials("ourufrag", "our-password-of-22-chars")
KEY = OURS.pwd.encode()
ID = b"transaction1"
GOOD = stun.binding_request(ID, "ourufrag:them", KEY, 1, controlling=1)


@pytest.fixture
def ice() -> IceLite:
    return IceLite(OURS, 0.0)


def assert_ignored(ice: IceLite, data: bytes) -> None:
    rejected = ice.rejected
    assert ice.receive(data, "a", "192.0.2.1", 1, 0.0) is None
    assert ice.rejected == rejected + 1
    assert not ice.addresses
    assert ice.selected is None
    assert ice.last_heard is None


def with_length(data: bytes, length: int) -> bytes:
    return data[:2] + length.to_bytes(2, "big") + data[4:]


def signed(body: bytes, *, key: bytes = KEY) -> bytes:
    return stun._finish(stun.BINDING_REQUEST, ID, body, key)


def test_stun_trunc(ice: IceLite) -> None:
    for length in range(len(GOOD)):
        for first in (b"\x00", b"\x01"):
            assert_ignored(ice, (first + GOOD[1:])[:length])


@pytest.mark.parametrize("change", [-20, -4, -3, -1, 1, 2, 4, 8, 60000])
def test_stun_len(ice: IceLite, change: int) -> None:
    assert_ignored(ice, with_length(GOOD, len(GOOD) - 20 + change))


def test_stun_len_not_a_multiple_of_four(ice: IceLite) -> None:
    for extra in (1, 2, 3):
        assert_ignored(ice, with_length(GOOD + bytes(extra), len(GOOD) - 20 + extra))


def test_stun_cookie(ice: IceLite) -> None:
    assert_ignored(ice, GOOD[:4] + b"\x21\x12\xa4\x43" + GOOD[8:])
    assert stun.username_of(GOOD[:4] + bytes(4) + GOOD[8:]) is None


@pytest.mark.parametrize("length", [1, 5, 600, 0xFFFF])
def test_stun_attr_overrun(ice: IceLite, length: int) -> None:
    body = b"\x00\x06" + length.to_bytes(2, "big")
    assert_ignored(ice, stun._header.pack(1, len(body), 0x2112A442, ID) + body)


def test_stun_attr_zero_length_flood(ice: IceLite) -> None:
    assert_ignored(ice, signed(b"\xc0\x01\x00\x00" * 350))
    with pytest.raises(StunError):
        stun.parse(signed(b"\xc0\x01\x00\x00" * 40))


def test_stun_oversized(ice: IceLite) -> None:
    assert_ignored(ice, signed(stun._pack(0xC001, bytes(1600))))


def test_stun_mi_missing(ice: IceLite) -> None:
    assert_ignored(ice, stun.binding_request(ID, "ourufrag:them", b"", 1, controlling=1))


def test_stun_mi_bad(ice: IceLite) -> None:
    assert_ignored(ice, stun.binding_request(ID, "ourufrag:them", b"guess", 1, controlling=1))
    body = stun._pack(stun.USERNAME, b"ourufrag:them") + stun._pack(stun.MESSAGE_INTEGRITY, bytes(16))
    assert_ignored(ice, stun._finish(stun.BINDING_REQUEST, ID, body, b""))


def test_stun_mi_after_fp(ice: IceLite) -> None:
    integrity, fingerprint = GOOD[-32:-8], GOOD[-8:]
    assert_ignored(ice, GOOD[:-32] + fingerprint + integrity)


def test_stun_fp_bad(ice: IceLite) -> None:
    assert_ignored(ice, GOOD[:-1] + bytes([GOOD[-1] ^ 1]))


@pytest.mark.parametrize(
    "username",
    [
        None,
        b"",
        b"x" * 600,
        b"ourufrag",
        b":",
        b"other:them",
        b"ourufra:them",
        b"\xff\xfe:\xff",
        b"them:ourufrag",
    ],
)
def test_stun_username(ice: IceLite, username: bytes | None) -> None:
    assert_ignored(ice, signed(b"" if username is None else stun._pack(stun.USERNAME, username)))


def test_stun_unknown_comprehension(ice: IceLite) -> None:
    body = stun._pack(stun.USERNAME, b"ourufrag:them") + stun._pack(0x7777, b"??") + stun._pack(0x0002, b"")
    response = ice.receive(signed(body), "a", "192.0.2.1", 1, 0.0)
    assert response is not None
    message = stun.parse(response)
    assert message.error_code == 420
    assert message.attributes[stun.UNKNOWN_ATTRIBUTES] == bytes.fromhex("77770002")
    assert message.signed_by(KEY)
    assert not ice.addresses


def test_stun_unknown_optional_attributes_are_fine(ice: IceLite) -> None:
    body = stun._pack(stun.USERNAME, b"ourufrag:them") + stun._pack(0xC057, b"1234")
    assert ice.receive(signed(body), "a", "192.0.2.1", 1, 0.0) is not None


def test_stun_unknown_comprehension_unsigned(ice: IceLite) -> None:
    body = stun._pack(stun.USERNAME, b"ourufrag:them") + stun._pack(0x7777, b"")
    assert_ignored(ice, signed(body, key=b"guess"))


def test_stun_spoof_flood_is_cheap_and_never_answered(ice: IceLite) -> None:
    flood = [stun.binding_request(os.urandom(12), f"x{number}:y", b"k", 1) for number in range(2000)]
    cost_s = timeit.timeit(
        lambda: [stun.username_of(data) for data in flood], timer=time.process_time, number=5
    )
    assert cost_s / 5 / len(flood) < 40e-6
    for data in flood:
        assert_ignored(ice, data)


def test_stun_responses_are_no_larger_than_an_error_needs(ice: IceLite) -> None:
    response = ice.receive(GOOD, "a", "2001:db8::1", 1, 0.0)
    assert response is not None
    assert len(response) <= len(GOOD)


@pytest.mark.parametrize(
    "kind", [stun.BINDING_INDICATION, stun.BINDING_SUCCESS, stun.BINDING_ERROR, 0x0003, 0x3FFF]
)
def test_stun_indication_and_response_unsolicited(ice: IceLite, kind: int) -> None:
    body = stun._pack(stun.USERNAME, b"ourufrag:them")
    assert_ignored(ice, stun._finish(kind, ID, body, KEY))
