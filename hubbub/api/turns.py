"""Long work in the event loop, a little at a time, so that media goes on meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextvars import ContextVar
from functools import partial
from typing import TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

from sfu.little import LittleByLittle

T = TypeVar("T")

PER_TURN = 20
"""Items before others have a turn: 0.3 ms, where an item is a room or a participant that is looked at or written."""


class Turnstile:
    """Lets one request go on with each turn of the event loop.

    Those that came while media was sent would otherwise be handled all at once, a millisecond each.
    """

    def __init__(self) -> None:
        self._turns = LittleByLittle(little_s=0)

    @web.middleware
    async def let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A middleware; the outermost, so that nobody has anything done before his turn."""
        _entered.set(self)
        await self.turn()
        return await handler(request)

    async def turn(self) -> None:
        """Wait for those who came before, and for others in the event loop."""
        waiter = asyncio.get_running_loop().create_future()
        self._turns.soon(partial(_let, waiter))
        await waiter


def _let(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():  # or nobody waits any more
        waiter.set_result(None)


_entered: ContextVar[Turnstile | None] = ContextVar("turnstile", default=None)
"""What the request at hand came in by."""


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """The same items, as the turnstile lets the request go on.

    What makes them must bear that the world changes in between.
    """
    turnstile = _entered.get() or Turnstile()
    for number, item in enumerate(items, 1):
        yield item
        if number % PER_TURN == 0:
            await turnstile.turn()
