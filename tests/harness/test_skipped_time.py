"""Timers expire in their order, and only when nothing else is left to do."""

import asyncio

from tests.harness.skipped_time import skipped_time


async def test_an_hour_passes_when_all_sleep() -> None:
    loop = asyncio.get_running_loop()
    done: list[str] = []
    with skipped_time():
        start = loop.time()
        loop.call_later(3600, done.append, "hour")
        loop.call_later(60, done.append, "minute")
        for _ in range(100):
            await asyncio.sleep(0)
        assert (done, loop.time()) == ([], start)
        await asyncio.sleep(3601)
        assert done == ["minute", "hour"]
        assert 3600 < loop.time() - start < 3602
    assert loop.time() - start < 3000
