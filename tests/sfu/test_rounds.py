"""When rounds begin, and that they go on, whatever happens in one of them."""

import asyncio
import time
from collections.abc import Callable

from sfu.rounds import Rounds


class House:
    """Notes when it is kept."""

    def __init__(self, pieces: int = 1) -> None:
        self.kept: list[float] = []
        self.left = self._pieces = pieces
        self.fault: Callable[[], None] = lambda: None
        self.rounds = Rounds(self._keep, 0.001)
        self._woken = asyncio.Event()

    async def until(self, count: int) -> None:
        while len(self.kept) < count:
            self._woken.clear()
            await self._woken.wait()

    def _keep(self) -> bool:
        self.kept.append(time.monotonic())
        self._woken.set()
        self.fault()
        self.left = (self.left or self._pieces) - 1
        return not self.left


async def test_without_packets_a_timer_begins_them() -> None:
    house = House()
    assert house.rounds.due_at > time.monotonic()
    house.rounds.begin()
    assert len(house.kept) == 1
    await house.until(4)
    assert all(later - one >= 0.001 for one, later in zip(house.kept, house.kept[1:], strict=False))
    house.rounds.stop()


async def test_whoever_is_awake_begins_one_that_is_due() -> None:
    house = House()
    house.rounds.begin()
    while time.monotonic() < house.rounds.due_at:
        pass
    house.rounds.begin()
    assert len(house.kept) == 2
    assert house.rounds.due_at > time.monotonic()
    house.rounds.stop()


async def test_a_long_one_lets_others_have_their_turn() -> None:
    house = House(pieces=3)
    house.rounds.begin()
    turns = []
    while len(house.kept) < 3:
        house.rounds.begin()  # not within the one before
        turns.append(len(house.kept))
        await asyncio.sleep(0)
    assert turns == [1, 2]
    house.rounds.stop()


async def test_a_fault_is_not_the_end() -> None:
    house = House()

    def fault() -> None:
        house.fault = lambda: None
        raise ValueError

    house.fault = fault
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: complaints.append(context["exception"])
    )
    try:
        house.rounds.begin()
    except ValueError as error:
        complaints.append(error)
    await house.until(3)
    assert len(complaints) == 1
    house.rounds.stop()


async def test_after_the_end_none_is_due() -> None:
    house = House()
    house.rounds.begin()
    house.rounds.stop()
    assert house.rounds.due_at > time.monotonic() + 1e9
