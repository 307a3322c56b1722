import asyncio

import pytest

from hubbub.embedded.inbox import Inbox


async def test_the_oldest_makes_room() -> None:
    inbox: Inbox[int] = Inbox(2)
    for number in range(5):
        inbox.put(number)
    assert [await inbox.get(), await inbox.get()] == [3, 4]
    assert inbox.dropped == 3


async def test_what_waits_comes_before_the_end() -> None:
    inbox: Inbox[int] = Inbox(2)
    inbox.put(1)
    inbox.end()
    inbox.put(2)
    assert [await inbox.get(), await inbox.get(), await inbox.get()] == [1, None, None]


async def test_an_end_wakes_the_reader() -> None:
    inbox: Inbox[int] = Inbox(2)
    reading = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.end(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await reading
