"""An aiohttp application on a free port of the loopback interface."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

HOST = "127.0.0.1"


@asynccontextmanager
async def listening(app: web.Application | web.AppRunner) -> AsyncIterator[int]:
    """Serve it; yields the port."""
    runner = app if isinstance(app, web.AppRunner) else web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    try:
        yield site.port
    finally:
        await runner.cleanup()


def free_port() -> int:
    """A TCP port that nobody has now."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port
