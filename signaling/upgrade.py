"""From HTTP to WebSocket: the handshake (RFC 6455 section 4.2), and taking the connection over from aiohttp.

What aiohttp keeps of a request (its long URL several times over), its tasks and its parser cost more memory than a
whole session. Once the connection has another protocol, all of that goes.
"""

import asyncio
import base64
import binascii
import hashlib
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import web

from sfu.little import LittleByLittle
from signaling.errors import BadRequest, NotAWebSocket
from signaling.frames import CloseCode
from signaling.websocket import MessageSocket

log = structlog.get_logger(__name__)

SHUTDOWN_TIMEOUT_S = 2.0
"""How long connections may take to write what is queued and to close."""
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES = 16


class Upgraded(web.StreamResponse):
    """The answer 101, after which the connection is no longer aiohttp's."""

    def __init__(self, request: web.Request) -> None:
        key = request.headers.get("Sec-WebSocket-Key", "").encode()
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}
        super().__init__(status=101, headers=headers)
        self.force_close()

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing follows in HTTP."""


def check_asks_for_upgrade(request: web.Request) -> None:
    """Raise NotAWebSocket unless it does."""
    connection = request.headers.get("Connection", "").lower()
    upgrade = request.headers.get("Upgrade", "").lower()
    if not (request.method == "GET" and "upgrade" in connection and upgrade.strip() == "websocket"):
        raise NotAWebSocket


def check_handshake(request: web.Request) -> None:
    """Raise BadRequest unless version and key are those of a WebSocket handshake."""
    try:
        key = base64.b64decode(request.headers.get("Sec-WebSocket-Key", ""), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if request.headers.get("Sec-WebSocket-Version") != "13" or len(key) != _KEY_BYTES:
        raise BadRequest("not a WebSocket version 13 handshake")


class Connections:
    """The open connections of a door."""

    def __init__(self) -> None:
        self._open: set[MessageSocket[Any]] = set()
        self._little = LittleByLittle()
        self._all_gone: asyncio.Event | None = None

    async def serve(self, request: web.Request, connection: MessageSocket[Any]) -> web.StreamResponse:
        """Upgrade; the connection lives on by itself."""
        connection.on_end, connection.soon = self._gone, self._little.soon
        self._open.add(connection)
        try:
            return await _take_over(request, connection)
        except ConnectionError as error:
            log.info("client left during the upgrade", remote=request.remote)
            connection.connection_lost(error)
            return web.Response()  # to nobody

    async def shutdown(self, app: web.Application) -> None:  # noqa: ARG002
        """Close all, for an application's ``on_shutdown``; what was sent last still arrives."""
        for connection in self._open:
            connection.close(CloseCode.GOING_AWAY)
        if self._open:
            with suppress(TimeoutError):
                async with asyncio.timeout(SHUTDOWN_TIMEOUT_S):
                    self._all_gone = asyncio.Event()
                    await self._all_gone.wait()
        for connection in list(self._open):
            connection.abort()

    def _gone(self, connection: MessageSocket[Any]) -> None:
        self._open.discard(connection)
        if self._all_gone is not None and not self._open:
            self._all_gone.set()


async def _take_over(request: web.Request, successor: asyncio.Protocol) -> Upgraded:
    """Answer 101 and give the connection to ``successor``. Raises ConnectionError if it is gone."""
    response = Upgraded(request)
    await response.prepare(request)
    transport, former = request.transport, request.protocol
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client is gone")
    # In this order: the former protocol closes what it holds when it hears that the connection is lost.
    former.transport = None
    transport.set_protocol(successor)
    former.connection_lost(None)
    successor.connection_made(transport)
    transport.resume_reading()
    return response
