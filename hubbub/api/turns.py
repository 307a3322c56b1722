"""Long work in the event loop, a little at a time, so that media goes on meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

PER_TURN = 20
"""Items before others have a turn: 0.3 ms, where an item is a room or a participant that is looked at or written."""


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """The same items. What makes them must bear that the world changes in between."""
    for number, item in enumerate(items, 1):
        yield item
        if number % PER_TURN == 0:
            await asyncio.sleep(0)
