"""An event loop whose timers are due as soon as there is nothing else to do: no test waits, and none is late.

For what has neither sockets nor threads; whoever waits for those would see all timers expire at once.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def skipped_time() -> Iterator[None]:
    """Inside the block the running event loop's time passes only while it would sleep, and then in no time."""
    loop: Any = asyncio.get_running_loop()
    now = loop.time()
    select = loop._selector.select

    def skip(timeout: float | None) -> list[Any]:
        nonlocal now
        if timeout is None:
            return list(select(None))
        ready = select(0)
        if not ready:
            now += timeout
        return list(ready)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "time", lambda: now)
        patch.setattr(loop._selector, "select", skip)
        yield
