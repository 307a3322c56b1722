"""A copy's time of sending follows from its RTP timestamp, whatever was dropped around it."""

import numpy as np

from tests.bench.overload import AFTER_S, _schedule, recovery_s, sent_times, whole_again_s


def test_copies_are_matched_by_timestamp_despite_losses_and_wrapping() -> None:
    sent_stamps = np.array([0, 0, 3000, 6000, 6000, 9000])
    sent_at = np.array([10.0, 10.0, 11.0, 12.0, 12.0, 13.0])
    came_stamps = (np.array([0, 0, 6000, 9000]) + 0xFFFFF000) & 0xFFFFFFFF
    found = sent_times(sent_stamps, sent_at, came_stamps, np.zeros(4))
    assert found.tolist() == [10.0, 10.0, 12.0, 13.0]


def test_a_stream_of_which_nothing_came_has_no_times() -> None:
    none = np.zeros(0, np.int64)
    assert len(sent_times(np.array([1]), np.array([1.0]), none, np.zeros(0))) == 0


def test_recovery_is_when_delays_stay_short() -> None:
    sent_s = np.arange(0, AFTER_S, 0.001)
    delay_s = np.where(sent_s < 0.42, 0.5, 0.001)
    assert 0.4 <= recovery_s(sent_s, delay_s) <= 0.5
    delay_s[(sent_s > 0.6) & (sent_s < 0.7)] = 0.2
    assert 0.69 <= recovery_s(sent_s, delay_s) <= 0.75, "one good moment is not enough"


def test_what_never_recovers_says_so() -> None:
    sent_s = np.arange(0, AFTER_S, 0.001)
    assert recovery_s(sent_s, np.full(len(sent_s), 0.5)) == AFTER_S
    assert recovery_s(np.zeros(0), np.zeros(0)) == AFTER_S


def test_short_delays_of_little_are_not_all() -> None:
    due_s = np.arange(0, AFTER_S, 0.001)
    came_s = due_s[(due_s > 2.0) | (np.arange(len(due_s)) % 4 == 0)]
    assert recovery_s(came_s, np.full(len(came_s), 0.001)) == 0
    assert 1.95 <= whole_again_s(due_s, came_s) <= 2.1
    assert whole_again_s(due_s, came_s[::2]) == AFTER_S


def test_the_schedule_is_calm_then_fast_then_calm() -> None:
    due = _schedule(np.linspace(0, 10, 1001))
    pace = 0.01 / np.diff(due)
    assert np.isclose(pace[10], 0.5)
    assert np.isclose(pace[300], 2.0)
    assert np.isclose(pace[-10], 0.5)
    assert (np.diff(due) > 0).all()
