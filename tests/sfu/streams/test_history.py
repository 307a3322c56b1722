"""The ring of newest packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.streams.history import History


def test_a_packet_is_found_until_its_place_is_taken():
    history = History[int](4)
    for n in range(10, 15):
        history.store(n, b"%d" % n, n * 2)
    assert history.find(10) is None
    assert history.find(11) == (11, b"11", 22)
    assert history.find(14) == (14, b"14", 28)
    assert history.find(15) is None


def test_a_very_late_packet_does_not_push_out_a_newer_one():
    history = History[None](4)
    history.store(14, b"new", None)
    history.store(10, b"old", None)
    assert history.find(14) == (14, b"new", None)
    assert history.find(10) is None


def test_a_span_is_given_whole_or_not_at_all():
    history = History[None](8)
    for n in (1, 2, 3, 5):
        history.store(n, bytes([n]), None)
    entries = history.span(1, 3)
    assert entries is not None
    assert [packet for _, packet, _ in entries] == [b"\x01", b"\x02", b"\x03"]
    assert history.span(1, 5) is None
    assert history.span(3, 1) is None
    assert history.span(0, 1_000_000) is None


def test_cleared_it_is_empty():
    history = History[None](2)
    history.store(1, b"", None)
    history.clear()
    assert history.find(1) is None


@pytest.mark.parametrize("size", [0, -4, 3, 1000])
def test_its_size_is_a_power_of_two(size: int):
    with pytest.raises(ValueError, match="power of two"):
        History[None](size)


@given(st.lists(st.integers(0, 200), max_size=100))
def test_what_it_finds_is_what_was_stored(sequences: list[int]):
    history = History[int](16)
    for ext_seq in sequences:
        history.store(ext_seq, b"%d" % ext_seq, ext_seq)
    for ext_seq in range(201):
        entry = history.find(ext_seq)
        if entry is not None:
            assert entry == (ext_seq, b"%d" % ext_seq, ext_seq)
            assert ext_seq in sequences
    if sequences:
        assert history.find(max(sequences)) is not None
