"""The sliding rate of one second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.streams.bitrate import BitrateMeter


def test_a_steady_stream_shows_its_rate():
    meter = BitrateMeter()
    for n in range(300):
        meter.add(1250, n / 100)
    assert meter.bps(2.99) == pytest.approx(1_000_000, rel=0.06)


def test_it_falls_to_zero_within_a_second_of_silence():
    meter = BitrateMeter()
    for n in range(100):
        meter.add(1250, n / 100)
    assert meter.bps(1.5) == pytest.approx(500_000, rel=0.15)
    assert meter.bps(2.0) == 0.0
    assert meter.bps(1e9) == 0.0


def test_a_step_is_seen_whole_a_second_later():
    meter = BitrateMeter()
    for n in range(400):
        meter.add(1000 if n < 200 else 100, n / 100)
    assert meter.bps(3.99) == pytest.approx(80_000, rel=0.06)


@given(st.lists(st.tuples(st.integers(0, 1500), st.floats(0, 3)), max_size=100))
def test_it_never_counts_more_than_the_last_second(script: list[tuple[int, float]]):
    meter, now, sent = BitrateMeter(), 0.0, []
    for size, step_s in script:
        now += step_s
        meter.add(size, now)
        sent.append((now, size))
        recent = sum(size for at, size in sent if at > now - 1.0)
        surely = sum(size for at, size in sent if at > now - 0.9)
        assert surely * 8 <= meter.bps(now) <= recent * 8
