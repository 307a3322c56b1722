"""The accounts of a server's parts add up to what it takes."""

import pytest

from hubbub.load.comparison import Load
from tests.bench.parts import Ledger, measure, table


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_called_does_not_count_for_its_caller() -> None:
    clock = _Clock()
    ledger = Ledger(clock)

    def work(seconds: float) -> None:
        clock.now += seconds

    inner = ledger.timed("inner", work)

    def call() -> None:
        work(1.0)
        inner(0.25)
        inner(0.5)

    ledger.timed("outer", call)()
    ledger.timed("outer", work)(2.0)
    assert ledger.seconds == {"inner": 0.75, "outer": 3.0}
    assert ledger.calls == {"inner": 2, "outer": 2}


def test_what_raises_is_counted_too() -> None:
    clock = _Clock()
    ledger = Ledger(clock)

    def fail() -> None:
        clock.now += 1.0
        raise ValueError("so it is")

    def caller() -> None:
        with pytest.raises(ValueError, match="so it is"):
            ledger.timed("inner", fail)()
        clock.now += 0.5

    ledger.timed("outer", caller)()
    assert ledger.seconds == {"inner": 1.0, "outer": 0.5}


def test_a_server_under_load_is_accounted_for() -> None:
    load = Load("few", "1 publisher, 3 subscribers", 1.0, ("--subscribers", "3", "--no-simulcast"))
    before, after = measure(load, 1.0, lambda _: None)
    seconds = {part: after.seconds[part] - before.seconds.get(part, 0.0) for part in after.seconds}
    assert after.transports == 4
    assert after.packets > before.packets + 100
    assert 0 < seconds["compiled loops and kernel"] < sum(seconds.values()) <= after.cpu_s - before.cpu_s
    text = table(before, after)
    assert "| signalling |" in text
    assert text.endswith("|")
