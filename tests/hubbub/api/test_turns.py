import asyncio

from hubbub.api.turns import PER_TURN, in_turns


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
