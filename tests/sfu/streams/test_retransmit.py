"""Retransmissions are limited per packet and in bytes (fault 58: NACKs as an amplifier)."""

from hypothesis import given
from hypothesis import strategies as st

from sfu.streams.retransmit import MAX_TIMES, MIN_BUDGET_BPS, MIN_BURST_BYTES, RetransmitLimiter


def test_the_first_request_is_served_at_once():
    limiter = RetransmitLimiter()
    assert limiter.allow(7, 1000, 5.0, 0.1)
    assert limiter.served == 1


def test_a_request_within_the_round_trip_is_refused():
    limiter = RetransmitLimiter()
    assert limiter.allow(7, 1000, 5.0, 0.1)
    assert not limiter.allow(7, 1000, 5.08, 0.1)
    assert limiter.allow(7, 1000, 5.1, 0.1)
    assert limiter.allow(8, 1000, 5.1, 0.1)
    assert limiter.refused == 1


def test_without_a_known_round_trip_20_ms_count():
    limiter = RetransmitLimiter()
    assert limiter.allow(7, 1000, 5.0, 0.0)
    assert not limiter.allow(7, 1000, 5.019, 0.0)
    assert limiter.allow(7, 1000, 5.021, 0.0)


def test_a_packet_is_sent_again_only_so_many_times():
    limiter = RetransmitLimiter()
    served = [limiter.allow(7, 100, second, 0.1) for second in range(10)]
    assert served.count(True) == MAX_TIMES


def test_the_budget_stops_a_storm():
    limiter = RetransmitLimiter()
    sent = sum(1000 for n in range(10_000) if limiter.allow(n, 1000, n / 1000, 0.0))
    assert sent <= MIN_BURST_BYTES + 10 * MIN_BUDGET_BPS / 8
    assert sent >= 10 * MIN_BUDGET_BPS / 8 - 1000


def test_the_budget_follows_the_estimate():
    limiter = RetransmitLimiter()
    limiter.estimate(5_000_000)
    sent = sum(1000 for n in range(10_000) if limiter.allow(n, 1000, n / 1000, 0.0))
    assert 3_120_000 <= sent <= 3_125_000 + 312_500
    limiter.estimate(0)
    sent = sum(1000 for n in range(10_000) if limiter.allow(n, 1000, 10 + n / 1000, 0.0))
    assert sent <= MIN_BURST_BYTES + 10 * MIN_BUDGET_BPS / 8 + 1000


def test_time_going_back_earns_nothing():
    limiter = RetransmitLimiter()
    sent = sum(1000 for n in range(1000) if limiter.allow(n, 1000, float(n % 2), 0.0))
    assert sent < 1000 * 1000 / 8 * 10


@given(st.lists(st.tuples(st.integers(0, 2000), st.floats(0, 0.1)), max_size=300), st.floats(0, 1))
def test_bytes_served_stay_within_the_budget(script: list[tuple[int, float]], rtt_s: float):
    limiter, now, sent = RetransmitLimiter(), 0.0, 0
    for out_ext, step_s in script:
        now += step_s
        if limiter.allow(out_ext, 1200, now, rtt_s):
            sent += 1200
    assert sent <= MIN_BURST_BYTES + now * MIN_BUDGET_BPS / 8 + 1
