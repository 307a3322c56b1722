"""The ring of newest packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.streams.history import History


def test_a_packet_is_found_until_its_place_is_taken():
    history = History[int](4)
    for n in range(10, 15):
        history.store(n, n * 2)
    assert history.find(10) is None
    assert history.find(11) == 22
    assert history.find(14) == 28
    assert history.find(15) is None


def test_a_very_late_packet_does_not_push_out_a_newer_one():
    history = History[bytes](4)
    history.store(14, b"new")
    history.store(10, b"old")
    assert history.find(14) == b"new"
    assert history.find(10) is None


def test_its_size_is_a_power_of_two():
    with pytest.raises(ValueError, match="power of two"):
        History[int](500)


@given(st.lists(st.integers(0, 200), max_size=100))
def test_what_is_found_is_what_was_stored_under_that_number(numbers):
    history = History[int](16)
    for n in numbers:
        history.store(n, n)
    for n in range(200):
        assert history.find(n) in (None, n)
