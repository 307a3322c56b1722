"""Wrapping counters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.rtp.errors import RtpError
from sfu.rtp.sequence import extend, extend32, extend_bits, newer, newer32

ANY = st.integers(-(2**70), 2**70)


@given(ANY, st.integers(-0x7FFF, 0x8000))
def test_16_bits_find_the_nearest(reference: int, distance: int) -> None:
    assert extend(reference, (reference + distance) & 0xFFFF) == reference + distance


@given(ANY, st.integers(-0x7FFFFFFF, 0x80000000))
def test_32_bits_find_the_nearest(reference: int, distance: int) -> None:
    assert extend32(reference, (reference + distance) & 0xFFFFFFFF) == reference + distance


@given(ANY, st.integers(1, 64), st.data())
def test_any_width_finds_the_nearest(reference: int, bits: int, data: st.DataObject) -> None:
    distance = data.draw(st.integers(1 - (1 << bits - 1), 1 << bits - 1))
    assert extend_bits(reference, (reference + distance) % (1 << bits), bits) == reference + distance


@given(ANY, st.integers(0, 0xFFFF))
def test_widths_agree(reference: int, value: int) -> None:
    assert extend_bits(reference, value, 16) == extend(reference, value)


def test_no_bits_is_refused() -> None:
    with pytest.raises(RtpError):
        extend_bits(0, 0, 0)


def test_wrap_both_ways() -> None:
    assert extend(65535, 0) == 65536
    assert extend(65536, 65535) == 65535
    assert extend(0, 65535) == -1
    assert extend32(0xFFFFFFFF, 5) == 0x100000005


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_newer_agrees_with_extension(one: int, other: int) -> None:
    assert newer(one, other) == (extend(other, one) > other)


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_newer32_agrees_with_extension(one: int, other: int) -> None:
    assert newer32(one, other) == (extend32(other, one) > other)


def test_nothing_is_newer_than_itself() -> None:
    assert not newer(7, 7)
    assert not newer32(7, 7)
