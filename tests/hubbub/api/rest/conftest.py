"""A whole server in this loop, and a client with its API key."""

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from hubbub import Server, configure

KEY, SECRET = "key", "a-secret-that-is-long-enough-for-anybody"
BASIC = {"Authorization": aiohttp.encode_basic_auth(KEY, SECRET)}
OPTIONS = {
    "development": True,
    "bind_addresses": ["127.0.0.1"],
    "port": 0,
    "keys": {KEY: SECRET},
    "rtc.udp_port": 0,
    "rtc.tcp_port": 0,
    "rtc.node_ip": "127.0.0.1",
}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(configure(OPTIONS)) as running:
        yield running


@pytest_asyncio.fixture
async def api(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url, headers=BASIC) as client:
        yield client
