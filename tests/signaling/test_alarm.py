import asyncio
import time

import uvloop

from signaling.alarm import Alarm

SOON_S = 0.02


class Bell:
    """An alarm, and when it rang."""

    def __init__(self) -> None:
        self.alarm = Alarm()
        self.rang_at: list[float] = []
        self._rang = asyncio.Event()

    def set(self, at: float, now: float) -> None:
        self.alarm.set(at, now, self._ring)

    def _ring(self) -> None:
        self.rang_at.append(time.monotonic())
        self._rang.set()

    async def next(self) -> float:
        async with asyncio.timeout(5):
            await self._rang.wait()
        self._rang.clear()
        return self.rang_at[-1]


def test_it_never_rings_before_its_time() -> None:
    """The loop that servers run on rounds to milliseconds, and so do the times that it reckons from."""

    async def rung() -> None:
        bell = Bell()
        for fraction in range(50):
            await asyncio.sleep(0.0003)
            now = time.monotonic()
            at = now + 0.005 + fraction * 0.00013
            bell.set(at, now)
            assert await bell.next() >= at

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(rung())


async def test_an_earlier_time_takes_the_place_of_a_later_one() -> None:
    bell, now = Bell(), time.monotonic()
    bell.set(now + 60, now)
    bell.set(now + SOON_S, now)
    bell.set(now + 30, now)
    assert await bell.next() < now + 30
    await asyncio.sleep(2 * SOON_S)
    assert len(bell.rang_at) == 1


async def test_it_can_be_set_again_for_any_time_once_it_has_rung() -> None:
    bell, now = Bell(), time.monotonic()
    bell.set(now, now)
    await bell.next()
    bell.set(now + SOON_S, now)
    assert await bell.next() >= now + SOON_S


async def test_a_cancelled_one_does_not_ring_but_can_be_set_again() -> None:
    bell, now = Bell(), time.monotonic()
    bell.set(now + SOON_S, now)
    bell.alarm.cancel()
    await asyncio.sleep(2 * SOON_S)
    assert not bell.rang_at
    bell.set(now + 60, now)
    bell.set(now, now)
    await bell.next()
