"""A receiver, and the options of a server that sends to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.webhook_receiver import Receiver, receiving


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
def options(receiver: Receiver, tmp_path: Path) -> dict[str, object]:
    return {
        "webhook.urls": [receiver.url],
        "webhook.retry_min_s": 0.1,
        "webhook.retry_max_s": 0.5,
        "webhook.timeout_s": 5,
        "room.departure_timeout": 1,
        "database.path": str(tmp_path / "hubbub.db"),
    }
