"""When rounds begin, and that they go on, whatever happens in one of them."""

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise
from math import inf

import pytest

from sfu.rounds import SILENCE_S, Rounds

INTERVAL_S = 0.001


class House:
    """Notes when it is kept."""

    def __init__(self, pieces: int = 1, wait_s: float = 0.0) -> None:
        self.kept: list[float] = []
        self.fault: Callable[[], None] = lambda: None
        self.rounds = Rounds(self._keep, INTERVAL_S)
        self.wait_s = wait_s
        self._left = self._pieces = pieces
        self._woken = asyncio.Event()

    async def until(self, count: int) -> None:
        while len(self.kept) < count:
            self._woken.clear()
            await self._woken.wait()

    def _keep(self) -> float | None:
        self.kept.append(time.monotonic())
        self._woken.set()
        self.fault()
        self._left = (self._left or self._pieces) - 1
        return None if self._left else self.kept[-1] + self.wait_s


async def test_without_packets_a_timer_begins_them() -> None:
    house = House()
    assert house.rounds.due_at == inf
    house.rounds.begin()
    assert len(house.kept) == 1
    await house.until(4)
    assert all(later - one >= INTERVAL_S + SILENCE_S / 2 for one, later in pairwise(house.kept))
    house.rounds.stop()


async def test_whoever_is_awake_begins_one_that_is_due() -> None:
    house = House()
    house.rounds.begin()
    assert house.rounds.due_at >= house.kept[0]
    while time.monotonic() < house.rounds.due_at:
        pass
    house.rounds.begin()
    assert len(house.kept) == 2
    assert house.rounds.due_at >= house.kept[1]
    house.rounds.stop()


async def test_one_is_due_when_there_is_something_to_do_or_something_is_urgent() -> None:
    house = House(wait_s=1000.0)
    house.rounds.begin()
    assert house.rounds.due_at == house.kept[0] + 1000.0
    house.rounds.hasten()
    assert house.rounds.due_at == pytest.approx(house.kept[0] + INTERVAL_S, abs=0.5)
    await house.until(2)
    assert house.rounds.due_at == house.kept[1] + 1000.0
    house.rounds.stop()


async def test_nothing_is_urgent_before_the_first_and_after_the_last() -> None:
    house = House()
    for use in (lambda: None, house.rounds.begin):
        use()
        house.rounds.stop()
        house.rounds.hasten()
        assert house.rounds.due_at == inf
    kept = len(house.kept)
    await asyncio.sleep(0)
    assert len(house.kept) == kept


async def test_a_long_one_lets_others_have_their_turn() -> None:
    house = House(pieces=3)
    house.rounds.begin()
    turns = []
    while len(house.kept) < 3:
        house.rounds.begin()  # not within the one before
        house.rounds.hasten()
        turns.append(len(house.kept))
        await asyncio.sleep(0)
    assert turns == [1, 2]
    house.rounds.stop()


async def test_what_is_left_of_one_ends_with_the_last() -> None:
    house = House(pieces=3)
    house.rounds.begin()
    house.rounds.stop()
    await asyncio.sleep(0)
    assert len(house.kept) == 1


async def test_a_fault_is_not_the_end() -> None:
    house = House()
    faults = []

    def fault() -> None:
        faults.append(len(house.kept))
        house.fault = lambda: None
        raise ValueError

    house.rounds.begin()
    house.fault = fault
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    await house.until(4)
    assert faults == [2]
    house.rounds.stop()
