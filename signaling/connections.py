"""All connections of one door, so that they can be closed when the server stops."""

import asyncio
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import web

from signaling.frames import CloseCode
from signaling.upgrade import take_over
from signaling.websocket import Connection

SHUTDOWN_TIMEOUT_S = 2.0
"""How long connections may take to write what is queued and to close."""

log = structlog.get_logger(__name__)


class Connections:
    """Knows connections from their upgrade to their end."""

    def __init__(self) -> None:
        self._open: set[Connection[Any]] = set()
        self._all_gone: asyncio.Event | None = None

    async def take_over(self, request: web.Request, connection: Connection[Any]) -> web.StreamResponse:
        """Make a WebSocket of a request's connection; what its session has sent so far goes out first."""
        self._open.add(connection)
        connection.on_end = lambda: self._gone(connection)
        try:
            return await take_over(request, connection)
        except ConnectionError as error:
            log.info("client left during the upgrade", remote=request.remote)
            connection.connection_lost(error)
            return web.Response()  # to nobody

    async def shutdown(self, app: web.Application) -> None:  # noqa: ARG002
        """Close all of them, for an application's ``on_shutdown``; what was sent last still arrives."""
        for connection in self._open:
            connection.close(CloseCode.GOING_AWAY)
        if self._open:
            with suppress(TimeoutError):
                async with asyncio.timeout(SHUTDOWN_TIMEOUT_S):
                    self._all_gone = asyncio.Event()
                    await self._all_gone.wait()
        for connection in list(self._open):
            connection.abort()

    def _gone(self, connection: Connection[Any]) -> None:
        self._open.discard(connection)
        if self._all_gone is not None and not self._open:
            self._all_gone.set()
