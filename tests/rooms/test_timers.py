import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms.timers import Timers, Waits


def test_timers_fire_in_order_of_time() -> None:
    timers, fired = Timers(), []
    for at in (3.0, 1.0, 2.0):
        timers.call_at(at, lambda at=at: fired.append(at))
    assert timers.next_at() == 1.0
    timers.fire(2.0)
    assert fired == [1.0, 2.0]
    assert timers.next_at() == 3.0
    timers.fire(10.0)
    assert timers.next_at() is None


def test_cancelled_timers_do_not_fire() -> None:
    timers, fired = Timers(), []
    timer = timers.call_at(1.0, lambda: fired.append(1))
    assert timer.pending
    timer.cancel()
    timer.cancel()
    assert not timer.pending
    assert timers.next_at() is None
    timers.fire(2.0)
    assert fired == []


def test_a_timer_may_cancel_another_that_is_due() -> None:
    timers, fired = Timers(), []
    timers.call_at(1.0, lambda: second.cancel())
    second = timers.call_at(1.0, lambda: fired.append(2))
    timers.fire(1.0)
    assert fired == []


def test_a_timer_set_while_firing_waits_for_the_next_call() -> None:
    timers, fired = Timers(), []

    def again() -> None:
        fired.append(1)
        timers.call_at(1.0, again)

    timers.call_at(1.0, again)
    timers.fire(1.0)
    assert fired == [1]
    assert timers.next_at() == 1.0


def test_a_timer_that_raises_holds_up_nobody_for_good() -> None:
    timers, fired = Timers(), []
    timers.call_at(1.0, lambda: 1 / 0)
    timers.call_at(1.0, lambda: fired.append(2))
    with pytest.raises(ZeroDivisionError):
        timers.fire(1.0)
    assert timers.next_at() == 1.0
    timers.fire(1.0)
    assert fired == [2]
    assert timers.next_at() is None


def test_cancelled_timers_take_no_room_for_long() -> None:
    timers = Timers()
    keep = [timers.call_at(5000.0, lambda: None) for _ in range(10)]
    for number in range(10_000):
        timers.call_at(1000.0 + number, lambda: None).cancel()
    assert len(timers._heap) < 200
    assert all(timer.pending for timer in keep)


@given(st.lists(st.tuples(st.sampled_from(["set", "cancel", "fire"]), st.integers(0, 50)), max_size=300))
def test_every_timer_fires_once_unless_cancelled(script) -> None:
    timers, now, expected = Timers(), 0, {}
    pending, fired = {}, []
    for step, (what, number) in enumerate(script):
        if what == "set":
            pending[step] = (now + number, timers.call_at(now + number, lambda step=step: fired.append(step)))
        elif what == "cancel" and pending:
            key = sorted(pending)[number % len(pending)]
            pending.pop(key)[1].cancel()
        elif what == "fire":
            now += number
            timers.fire(now)
            due = sorted((at, key) for key, (at, _) in pending.items() if at <= now)
            assert fired == [key for _, key in due]
            fired.clear()
            for _, key in due:
                del pending[key]
        expected = min((at for at, _ in pending.values()), default=None)
        assert timers.next_at() == expected


def test_of_several_waits_for_the_same_the_last_counts() -> None:
    timers, fired = Timers(), []
    waits = Waits[str]()
    for at in (1.0, 2.0):
        waits.begin("ann", timers.call_at(at, lambda at=at: fired.append(at)))
    waits.begin("ben", timers.call_at(3.0, lambda: fired.append(3.0)))
    timers.fire(1.0)
    assert ("ann" in waits, len(waits), fired) == (True, 2, [])
    timers.fire(2.0)
    assert ("ann" in waits, "ben" in waits, fired) == (False, True, [2.0])
    waits.end("ann", "carl")
    waits.end_all()
    timers.fire(3.0)
    assert (len(waits), fired) == (0, [2.0])
