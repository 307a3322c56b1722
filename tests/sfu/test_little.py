"""Work is done in order, a little at a time."""

import asyncio
import time

import pytest

from sfu.little import LITTLE_S, LittleByLittle


async def test_all_is_done_in_order_and_others_have_turns_in_between() -> None:
    little, done = LittleByLittle(), list[int]()

    def work(number: int) -> None:
        until = time.monotonic() + LITTLE_S / 4
        while time.monotonic() < until:
            pass
        done.append(number)

    for number in range(40):
        little.soon(lambda number=number: work(number))
    assert not done
    turns = 0
    while len(done) < 40:
        before = len(done)
        await asyncio.sleep(0)
        turns += len(done) > before
    assert done == list(range(40))
    assert turns >= 10


async def test_work_may_bring_more() -> None:
    little, done = LittleByLittle(), list[str]()

    def first() -> None:
        done.append("first")
        little.soon(lambda: done.append("second"))

    little.soon(first)
    while len(done) < 2:
        await asyncio.sleep(0)
    little.soon(lambda: done.append("third"))
    await asyncio.sleep(0)
    assert done == ["first", "second", "third"]


async def test_what_raises_does_not_stand_in_the_way() -> None:
    little, done, faults = LittleByLittle(), list[str](), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))

    def fail() -> None:
        raise ValueError("of one")

    little.soon(fail)
    little.soon(lambda: done.append("next"))
    while not done:
        await asyncio.sleep(0)
    assert [str(fault) for fault in faults] == ["of one"]


@pytest.mark.parametrize("count", [1, 3])
async def test_nothing_is_done_twice(count: int) -> None:
    little, done = LittleByLittle(), list[int]()
    for number in range(count):
        little.soon(lambda number=number: done.append(number))
    for _ in range(5):
        await asyncio.sleep(0)
    assert done == list(range(count))
