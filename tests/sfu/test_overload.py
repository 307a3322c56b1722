"""When video is left out, how much of it, and when it comes back."""

from itertools import pairwise

import pytest

from sfu.overload import ALL_S, CALM_S, DROPPING_S, FULL_LASTING_S, LASTING_S, STEPS, TARGET_S, Overload

TURN_S = 0.01


class Clock:
    """Turns of an engine, one after the other."""

    def __init__(self) -> None:
        self.overload = Overload()
        self.now = 100.0
        self.dropped = 0

    def turns(
        self,
        duration_s: float,
        *,
        waited_s: float | None = 0.0,
        full: bool = False,
        refused: int = 0,
        dropped: int = 0,
    ) -> int:
        """Returns the level after it."""
        for _ in range(round(duration_s / TURN_S)):
            self.dropped += dropped
            self.overload.received(waited_s, self.now, full=full, dropped=self.dropped)
            self.overload.sent(refused, self.now)
            self.now += TURN_S
        return self.overload.level


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_an_engine_that_keeps_up_leaves_nothing_out(clock: Clock) -> None:
    assert clock.turns(5, waited_s=TARGET_S, full=True) == 0
    assert not any(clock.overload.sheds(stream) for stream in range(100))


def test_a_burst_is_no_overload(clock: Clock) -> None:
    for _ in range(20):
        clock.turns(LASTING_S * 0.6, waited_s=0.5)
        assert clock.turns(TURN_S) == 0


def test_being_behind_for_long_leaves_out_more_and_more(clock: Clock) -> None:
    assert clock.turns(2 * LASTING_S, waited_s=0.15) > 0
    some = clock.overload.level
    assert 0 < sum(clock.overload.sheds(stream) for stream in range(80)) == 10 * some < 80
    assert clock.turns(6 * LASTING_S, waited_s=0.15) == STEPS
    assert all(clock.overload.sheds(stream) for stream in range(80))
    assert clock.overload.raised == 1


def test_an_engine_far_behind_leaves_out_all_video(clock: Clock) -> None:
    assert clock.turns(LASTING_S + 2 * TURN_S, waited_s=ALL_S) == STEPS


def test_the_long_turns_of_an_engine_that_is_behind_count(clock: Clock) -> None:
    for _ in range(4):
        clock.turns(TURN_S, waited_s=0.5)
        clock.now += 0.7
    assert clock.overload.level > 0


def test_a_receive_buffer_that_overflows_again_and_again_leaves_out_all_video(clock: Clock) -> None:
    """At a high rate it is full before anything in it has waited long."""
    for _ in range(5):
        assert clock.turns(DROPPING_S * 0.6, waited_s=0.05, dropped=10) == 0
        assert clock.turns(DROPPING_S, waited_s=0.05) == 0
    assert clock.turns(DROPPING_S + 2 * TURN_S, waited_s=0.05, dropped=10) == STEPS
    clock.turns(CALM_S, waited_s=0.05, dropped=10)
    assert clock.overload.level == STEPS


def test_refusals_of_the_kernel_count_as_well(clock: Clock) -> None:
    assert clock.turns(LASTING_S * 0.6, refused=3) == 0
    assert clock.overload.congested(clock.now)
    assert clock.turns(LASTING_S * 2, refused=3) > 0


def test_without_arrival_times_full_batches_tell_but_only_after_long(clock: Clock) -> None:
    assert clock.turns(FULL_LASTING_S * 0.9, waited_s=None, full=True) == 0
    assert clock.turns(FULL_LASTING_S * 0.5, waited_s=None, full=True) > 0


def test_it_comes_back_step_by_step(clock: Clock) -> None:
    clock.turns(2, waited_s=0.15)
    levels = [clock.turns(CALM_S) for _ in range(STEPS + 2)]
    assert levels[-1] == 0
    assert levels == sorted(levels, reverse=True)
    assert all(before - after <= 1 for before, after in pairwise(levels))
    assert not clock.overload.congested(clock.now)


def test_it_comes_back_when_nothing_arrives_any_more(clock: Clock) -> None:
    clock.turns(2, waited_s=0.15)
    for _ in range(400):
        clock.overload.sent(0, clock.now)  # the timer's turns
        clock.now += TURN_S
    assert clock.overload.level == 0


def test_silence_between_two_bursts_is_no_lasting_trouble(clock: Clock) -> None:
    for _ in range(20):
        clock.turns(TURN_S, waited_s=0.2)
        clock.now += 1.5
    assert clock.overload.level == 0
