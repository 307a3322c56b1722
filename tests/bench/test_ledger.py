"""What functions take adds up, without what they call."""

import pytest

from tests.bench.ledger import Ledger


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
