"""Every scenario gets a lab of its own, closed at its end."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.harness.lab import Lab


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    made = Lab(seed=1)
    yield made
    made.close()
