"""ICE-TCP, passive side (RFC 6544): one listening port, RFC 4571 framing, each connection a way to one peer."""

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from sfu.net.errors import FramingError
from sfu.net.framing import Deframer, frame

logger = logging.getLogger(__name__)

WRITE_BUFFER_BYTES = 512 * 1024
"""What may wait for a slow peer; media beyond that is dropped, as a full UDP buffer would."""
IDLE_S = 15.0
"""A connection that brings no valid ICE check for so long is closed."""

OnDatagram = Callable[["TcpPeer", bytes], None]
OnClosed = Callable[["TcpPeer"], None]


class TcpPeer(asyncio.Protocol):
    """One connection. Compare by identity: it is the peer's address."""

    def __init__(
        self, on_datagram: OnDatagram, on_opened: Callable[["TcpPeer"], bool], on_closed: OnClosed
    ) -> None:
        self._on_datagram = on_datagram
        self._on_opened = on_opened
        self._on_closed = on_closed
        self._deframer = Deframer()
        self._transport: asyncio.Transport | None = None
        self._idle: asyncio.TimerHandle | None = None
        self.host = ""
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        peername = transport.get_extra_info("peername") or ("", 0)
        self.host, self.port = str(peername[0]), int(peername[1])
        if not self._on_opened(self):
            self.close()
            return
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self.close)

    def validated(self) -> None:
        """A valid check came: the connection may stay."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def data_received(self, data: bytes) -> None:
        try:
            datagrams = self._deframer.feed(data)
        except FramingError:
            self.close()
            return
        for datagram in datagrams:
            if self._transport is not None:  # else the one before has ended the connection
                self._on_datagram(self, datagram)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.validated()
        self._transport = None
        self._on_closed(self)

    def send(self, data: bytes) -> bool:
        """Send one datagram; False when it was dropped."""
        transport = self._transport
        if transport is None or transport.get_write_buffer_size() > WRITE_BUFFER_BYTES:
            return False
        transport.write(frame(data))
        return True

    def close(self) -> None:
        """End the connection at once; nothing comes from it any more."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None


class TcpPort:
    """The listening sockets of an engine."""

    def __init__(self, on_datagram: OnDatagram, on_closed: OnClosed, max_connections: int) -> None:
        self._on_datagram = on_datagram
        self._on_closed = on_closed
        self._max_connections = max_connections
        self._servers: list[asyncio.Server] = []
        self._connections: set[TcpPeer] = set()
        self.refused = 0

    async def listen(self, host: str, port: int) -> int:
        """Listen on one address; returns the port (the one given, or the system's choice for 0)."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._new_peer, host, port, backlog=256)
        self._servers.append(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.close()
        for server in self._servers:
            await server.wait_closed()

    def _new_peer(self) -> TcpPeer:
        return TcpPeer(self._on_datagram, self._opened, self._closed)

    def _opened(self, peer: TcpPeer) -> bool:
        if len(self._connections) >= self._max_connections:
            self.refused += 1
            return False
        self._connections.add(peer)
        return True

    def _closed(self, peer: TcpPeer) -> None:
        self._connections.discard(peer)
        self._on_closed(peer)
