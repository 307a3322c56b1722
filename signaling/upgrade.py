"""From HTTP to WebSocket: the handshake (RFC 6455 section 4.2), and taking the connection over from aiohttp.

What aiohttp keeps of a request (its long URL several times over), its tasks and its parser cost more memory than a
whole session. Once the connection has another protocol, all of that goes.
"""

import asyncio
import base64
import binascii
import hashlib

from aiohttp import web

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


def is_handshake(request: web.Request) -> bool:
    """Whether version and key are those of a WebSocket handshake."""
    try:
        key = base64.b64decode(request.headers.get("Sec-WebSocket-Key", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return request.headers.get("Sec-WebSocket-Version") == "13" and len(key) == _KEY_BYTES


async def take_over(request: web.Request, successor: asyncio.Protocol) -> Upgraded:
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
