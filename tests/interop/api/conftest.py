from collections.abc import AsyncIterator

import pytest_asyncio
from livekit import api

from tests.harness.server import Server


@pytest_asyncio.fixture(loop_scope="session")
async def admin(server: Server) -> AsyncIterator[api.LiveKitAPI]:
    """The stock server SDK with the server's key: it grants itself what each call needs."""
    async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as client:
        yield client
