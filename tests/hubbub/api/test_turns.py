import asyncio

from hubbub.api.turns import PER_TURN, Turnstile, in_turns


async def test_others_have_turns_in_between() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    items = range(10 * PER_TURN)
    assert [item async for item in in_turns(items)] == list(items)
    assert turns >= 10
    task.cancel()


async def _in_order(turnstile: Turnstile, number: int, let_in: list[int]) -> None:
    await turnstile.turn()
    let_in.append(number)


async def test_one_is_let_in_with_each_turn_in_the_order_they_came() -> None:
    turnstile, let_in = Turnstile(), list[int]()
    waiting = [asyncio.create_task(_in_order(turnstile, number, let_in)) for number in range(5)]
    seen = []
    while len(let_in) < len(waiting):
        before = len(let_in)
        await asyncio.sleep(0)
        seen.append(len(let_in) - before)
    assert max(seen) == 1
    assert let_in == list(range(5))


async def test_who_has_gone_holds_nobody_up() -> None:
    turnstile, let_in = Turnstile(), list[int]()
    waiting = [asyncio.create_task(_in_order(turnstile, number, let_in)) for number in range(3)]
    await asyncio.sleep(0)
    for task in waiting[:2]:
        task.cancel()
    await waiting[2]
    assert let_in == [2]
    await _in_order(turnstile, 3, let_in)
    assert let_in == [2, 3]
