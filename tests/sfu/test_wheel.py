"""The wheel: nothing comes out early within its reach, late by more than a step, or twice."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.wheel import SLOTS, Wheel

STEP_S = 0.01


def test_items_come_out_when_they_are_due() -> None:
    wheel: Wheel[str] = Wheel(STEP_S)
    wheel.take(1000.0)
    wheel.put("later", 1000.05)
    wheel.put("soon", 1000.02)
    assert wheel.take(1000.01) == []
    assert wheel.take(1000.02) == ["soon"]
    assert wheel.take(1000.049) == []
    assert wheel.take(1000.05) == ["later"]
    assert len(wheel) == 0


def test_what_is_over_comes_next() -> None:
    wheel: Wheel[str] = Wheel(STEP_S)
    wheel.take(1000.0)
    wheel.put("missed", 3.0)
    assert wheel.take(1000.0) == []
    assert wheel.take(1000.01) == ["missed"]


def test_the_earlier_of_two_times_counts() -> None:
    wheel: Wheel[str] = Wheel(STEP_S)
    wheel.take(1000.0)
    for at in (1000.1, 1000.03, 1000.2):
        wheel.put("once", at)
    assert "once" in wheel
    assert wheel.others({"once", "never"}) == {"never"}
    assert wheel.take(1000.03) == ["once"]
    assert "once" not in wheel
    assert wheel.take(1001.0) == []


def test_what_is_forgotten_does_not_come_and_may_return() -> None:
    wheel: Wheel[str] = Wheel(STEP_S)
    wheel.take(1000.0)
    wheel.put("gone", 1000.05)
    wheel.discard("gone")
    wheel.discard("never there")
    wheel.put("gone", 1000.05)
    assert wheel.take(1000.2) == ["gone"]


def test_beyond_its_reach_things_come_early_and_after_a_stall_all_at_once() -> None:
    wheel: Wheel[int] = Wheel(STEP_S)
    wheel.take(1000.0)
    wheel.put(1, 2000.0)
    assert wheel.take(1000.0 + SLOTS * STEP_S) == [1]
    for n in range(SLOTS):
        wheel.put(n, 1000.0 + SLOTS * STEP_S + n * STEP_S)
    assert wheel.take(5000.0) == list(range(SLOTS))


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(-0.1, 0.6), st.floats(0.0, 0.05)), max_size=200))
def test_whatever_is_put_comes_out_in_time(script: list[tuple[int, float, float]]) -> None:
    wheel: Wheel[int] = Wheel(STEP_S)
    now = 1000.0
    wheel.take(now)
    due: dict[int, float] = {}
    for item, in_s, wait_s in script:
        wheel.put(item, now + in_s)
        due[item] = min(due.get(item, inf), max(now, now + in_s))
        now += wait_s
        taken = wheel.take(now)
        assert len(set(taken)) == len(taken)
        for one in taken:
            assert now >= due.pop(one) - 1e-6
        assert all(at > now - 2 * STEP_S for at in due.values())
    assert sorted(wheel.take(now + 1.0)) == sorted(due)


def test_it_says_when_something_is_due() -> None:
    wheel: Wheel[int] = Wheel(STEP_S)
    wheel.take(1000.0)
    assert wheel.due_at == inf
    wheel.put(1, 1000.0 + 7 * STEP_S)
    assert wheel.due_at == pytest.approx(1000.0 + 7 * STEP_S)
    wheel.put(2, 1000.0 + 3 * STEP_S)
    assert wheel.due_at == pytest.approx(1000.0 + 3 * STEP_S)
    wheel.put(3, 2000.0)
    assert wheel.take(1000.0 + 3 * STEP_S) == [2]
    assert wheel.take(wheel.due_at) == [1]
    assert wheel.due_at <= 1000.0 + SLOTS * STEP_S
    wheel.discard(3)
    assert wheel.due_at == inf
