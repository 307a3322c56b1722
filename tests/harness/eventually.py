"""Waiting for what must come, with a deadline."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")
Wanted = str | Callable[[], str]
"""What is waited for, as text; a function if it is only known at the deadline."""

POLL_S = 0.02
PATIENCE_S = 20.0
"""For what must come, some time: long enough for a busy machine, as it costs nothing where all is well."""


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]], what: Wanted = "", *, within_s: float = PATIENCE_S
) -> T: ...
@overload
async def eventually(condition: Callable[[], T], what: Wanted = "", *, within_s: float = PATIENCE_S) -> T: ...
async def eventually(condition: Callable[[], Any], what: Wanted = "", *, within_s: float = PATIENCE_S) -> Any:
    """The first truthy value of ``condition``, asked again and again (it may be a coroutine function).

    Raises AssertionError naming ``what`` when the deadline passes.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        value = condition()
        value = await value if inspect.isawaitable(value) else value
        if value:
            return value
        if loop.time() > deadline:
            raise AssertionError(f"not within {within_s} s: {what() if callable(what) else what}")
        await asyncio.sleep(POLL_S)


async def stays(condition: Callable[[], object], what: str, *, for_s: float) -> None:
    """Assert that ``condition`` holds now and all through the next ``for_s`` seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + for_s
    while loop.time() < end:
        assert condition(), f"no longer: {what}"
        await asyncio.sleep(POLL_S)
