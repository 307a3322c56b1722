"""Received TSNs: against a plain set, across the wrap of 32 bits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.net.tsn import ReceivedTsns

WRAP = 1 << 32


@given(
    st.sampled_from([0, 1000, WRAP - 20, (1 << 31) - 20]),
    st.permutations(range(1, 60)),
    st.integers(0, 59),
)
def test_intervals_agree_with_a_set(base: int, order: list[int], taken: int) -> None:
    received, model = ReceivedTsns(base), set()
    for offset in order[:taken]:
        unwrapped = received.unwrap((base + offset) % WRAP)
        assert not received.has(unwrapped)
        received.add(unwrapped)
        assert received.has(unwrapped)
        model.add(offset)
    cumulative = next(offset for offset in range(60) if offset + 1 not in model)
    assert received.cumulative_tsn == (base + cumulative) % WRAP
    ahead = {start + step for start, end in received.gaps(100) for step in range(end - start + 1)}
    for start, end in received.gaps(100):
        ahead |= set(range(start, end + 1))
        assert start not in (0, 1)
    assert {cumulative + offset for offset in ahead} == {one for one in model if one > cumulative}
    assert all(received.has(base + one) is (one <= cumulative or one in model) for one in range(60))


@pytest.mark.parametrize("base", [10, WRAP - 3])
def test_advancing_swallows_what_it_reaches(base: int) -> None:
    received = ReceivedTsns(base)
    for offset in (3, 4, 6, 9):
        received.add(base + offset)
    received.advance(base + 5)
    assert received.cumulative_tsn == (base + 6) % WRAP
    assert received.gaps(5) == [(3, 3)]
    received.advance(base + 2)
    assert received.cumulative_tsn == (base + 6) % WRAP


def test_old_numbers_unwrap_to_the_past() -> None:
    received = ReceivedTsns(5)
    assert received.unwrap(WRAP - 1) == -1
    assert received.has(-1)
    assert received.unwrap(6) == 6


def test_gaps_beyond_what_a_sack_can_say_are_left_out() -> None:
    received = ReceivedTsns(0)
    received.add(5)
    received.add(70_000)
    assert received.gaps(5) == [(5, 5)]
    assert received.gaps(0) == []
