"""Asking a publisher for lost packets, with moved time."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sfu.streams.nack import MAX_AGE_S, NACK_LIMIT, TRIES, NackRegister


def test_nothing_lost_asks_nothing():
    register = NackRegister()
    for n in range(100, 200):
        register.received(n, n / 100)
    assert register.due(2.0) == ([], False)


def test_a_reordered_packet_is_not_asked_for():
    register = NackRegister()
    register.received(100, 0.0)
    register.received(102, 0.001)
    assert register.due(0.005) == ([], False)
    register.received(101, 0.006)
    assert register.due(0.5) == ([], False)


def test_a_gap_is_asked_for_after_the_first_delay():
    register = NackRegister()
    register.received(100, 0.0)
    register.received(103, 0.0)
    assert register.due(0.009, 0.05)[0] == []
    assert register.due(0.010, 0.05)[0] == [101, 102]


def test_the_first_delay_grows_with_the_round_trip():
    register = NackRegister()
    register.received(100, 0.0)
    register.received(102, 0.0)
    assert register.due(0.019, 0.2)[0] == []
    assert register.due(0.021, 0.2)[0] == [101]


def test_three_newer_packets_make_it_a_loss_at_once():
    register = NackRegister()
    for n in (100, 102, 103):
        register.received(n, 0.0)
    assert register.due(0.0)[0] == []
    register.received(104, 0.0)
    assert register.due(0.0)[0] == [101]


def test_requests_back_off_and_end_in_a_key_frame():
    register = NackRegister()
    register.received(100, 0.0)
    register.received(102, 0.0)
    asked_at = []
    gave_up_at = None
    for tick in range(200):
        now = tick / 100
        asked, gave_up = register.due(now, 0.1)
        if asked:
            asked_at.append(now)
        if gave_up:
            gave_up_at = now
            break
    assert len(asked_at) <= TRIES
    gaps = [later - earlier for earlier, later in pairwise(asked_at)]
    assert gaps == sorted(gaps)
    assert gaps[0] >= 0.1
    assert gave_up_at is not None
    assert gave_up_at <= MAX_AGE_S + 0.02
    assert len(register) == 0
    assert register.abandoned == 1


def test_with_a_short_round_trip_all_tries_are_used():
    register = NackRegister(tries=2)
    register.received(1, 0.0)
    register.received(3, 0.0)
    results = [register.due(tick / 100, 0.01) for tick in range(20)]
    assert sum(len(asked) for asked, _ in results) == 2
    assert [gave_up for _, gave_up in results].count(True) == 1


def test_a_retransmission_ends_the_asking():
    register = NackRegister()
    register.received(1, 0.0)
    register.received(3, 0.0)
    assert register.due(0.02)[0] == [2]
    register.received(2, 0.05)
    assert register.due(1.5) == ([], False)


def test_a_long_gap_asks_for_a_key_frame_once():
    register = NackRegister()
    register.received(1, 0.0)
    register.received(2 + NACK_LIMIT + 1, 0.0)
    assert register.due(0.1) == ([], True)
    assert register.due(0.2) == ([], False)


def test_many_small_gaps_overflow_into_a_key_frame():
    register = NackRegister(limit=16)
    for n in range(0, 40, 2):
        register.received(n, 0.0)
    asked, gave_up = register.due(0.02)
    assert gave_up
    assert len(asked) == 16
    assert asked == list(range(7, 39, 2)), "the oldest went"


def test_a_key_frame_forgets_what_came_before_it():
    register = NackRegister()
    for n in (1, 3, 5):
        register.received(n, 0.0)
    register.forget_before(3)
    assert register.due(0.02)[0] == [4]


def test_cleared_it_starts_anew():
    register = NackRegister()
    register.received(1, 0.0)
    register.received(9, 0.0)
    register.clear()
    register.received(50, 1.0)
    assert register.due(2.0) == ([], False)


def test_a_lying_round_trip_does_not_stop_it():
    register = NackRegister()
    register.received(1, 0.0)
    register.received(3, 0.0)
    assert register.due(0.1, 65_535.0)[0] == [2]
    assert register.due(0.5, 65_535.0)[0] == [2]


@given(st.lists(st.tuples(st.integers(0, 2000), st.floats(0, 0.05)), max_size=200))
def test_it_stays_bounded_and_asks_only_for_what_is_missing(arrivals: list[tuple[int, float]]):
    register = NackRegister(limit=64)
    now, seen = 0.0, set()
    for ext_seq, step_s in arrivals:
        now += step_s
        register.received(ext_seq, now)
        seen.add(ext_seq)
        asked, _ = register.due(now, 0.05)
        assert len(register) <= 64
        assert not seen & set(asked)
        assert asked == sorted(asked)


def test_a_gap_rings_the_bell_and_a_loss_too_large_to_mend_as_well():
    register = NackRegister()
    register.received(100, 0.0)
    register.received(101, 0.0)
    assert not register.attention.raised
    assert not register.pending
    register.received(103, 0.0)
    assert register.attention.raised
    assert register.pending
    register.attention.lower()
    register.received(104 + 2 * NACK_LIMIT, 0.0)
    assert register.attention.raised
    assert register.pending
    assert register.due(0.0) == ([], True)
    assert not register.pending


@given(st.lists(st.tuples(st.integers(1, 6), st.floats(0.0, 0.05)), max_size=60), st.floats(0.0, 0.3))
def test_asked_when_it_says_so_it_asks_as_often_as_when_asked_all_the_time(
    script: list[tuple[int, float]], rtt_s: float
) -> None:
    """The bell and ``due_at`` together miss nothing that a look every 10 ms finds."""
    always, told = NackRegister(), NackRegister()
    number, next_packet_at, packets = 100, 0.0, list(script)
    for tick in range(300):
        now = tick * 0.01
        while packets and next_packet_at <= now:
            ahead, wait_s = packets.pop(0)
            number += ahead
            next_packet_at += wait_s
            for register in (always, told):
                register.received(number, now)
        expected = always.due(now, rtt_s)
        if told.attention.raised or now >= told.due_at:
            told.attention.lower()
            assert told.due(now, rtt_s) == expected
        else:
            assert expected == ([], False)
