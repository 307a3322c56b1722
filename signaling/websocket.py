"""One connection over a WebSocket: frames between it and a session of a client (or an agent worker).

A reader hands requests to the session; a writer empties the sink's queue. The session never waits: what it
sends is queued, and a client that doesn't keep up (queue past its limits, or a write stuck for
``ping_timeout_s``) is cut off. So is one from which nothing is heard for ``ping_timeout_s``: a control ping
every ``control_ping_s`` makes any living client's WebSocket layer answer. Losing the connection is not
leaving: the session hears ``signal_lost`` and decides.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog
from aiohttp import WSMessage, WSMsgType, web
from google.protobuf.message import Message
from livekit.protocol import rtc

from signaling.config import SignalingConfig
from signaling.errors import BadFrame
from signaling.framing import Framing, MessageFraming
from signaling.ports import Session

log = structlog.get_logger(__name__)

CLOSE_TIMEOUT_S = 2.0
SECOND_LOOK_S = 1.0
"""How long the client may take to answer a close frame."""


M = TypeVar("M", bound=Message)


class QueueSink:
    """A SignalSink (or WorkerSink): a bounded queue of encoded frames."""

    def __init__(self, config: SignalingConfig, framing: MessageFraming[M]) -> None:
        self._max_messages = config.send_queue_messages
        self._max_bytes = config.send_queue_bytes
        self._framing = framing
        self._frames: deque[bytes | str] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self.closing = False
        self.close_code = 1000
        self.close_reason = ""
        self.overflowed = False
        self.on_overflow: Callable[[], None] = lambda: None
        """Called when a message doesn't fit; the writer may be stuck in a write just then."""

    def send(self, response: Message) -> None:
        """Queue one message; ignored when closing or when too much is waiting already."""
        if self.closing or self.overflowed:
            return
        frame = self._framing.encode(response)
        self._frames.append(frame)
        self._bytes += len(frame)
        if len(self._frames) > self._max_messages or self._bytes > self._max_bytes:
            self.overflowed = True
            self._frames.clear()
            self.on_overflow()
        self._changed.set()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with this code once the queue is written; nothing more is taken."""
        if not self.closing:
            self.closing, self.close_code, self.close_reason = True, code, reason
            self._changed.set()

    def take(self) -> bytes | str | None:
        """The next frame to write, if any."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._bytes -= len(frame)
        return frame

    async def changed(self) -> None:
        """Wait for a frame, for ``close`` or for an overflow."""
        await self._changed.wait()
        self._changed.clear()


class FrameLoop(Generic[M]):
    """The two loops of one upgraded WebSocket; subclasses handle the messages."""

    BAD_FRAME_CODE = 1000
    """What a connection is closed with that sends something else than its messages (as LiveKit does)."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        sink: QueueSink,
        framing: MessageFraming[M],
        config: SignalingConfig,
    ) -> None:
        self._request = request
        self._socket = socket
        self._sink = sink
        self._framing = framing
        self._config = config
        sink.on_overflow = lambda: self._cut_off("send queue full")

    async def run(self) -> None:
        """Serve the connection until either side ends it."""
        reader, writer = asyncio.create_task(self._read()), asyncio.create_task(self._write())
        try:
            await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
            if writer.done() and self._sink.closing:
                await self._say_goodbye(reader)
            else:
                await reader
        finally:
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    async def _say_goodbye(self, reader: asyncio.Task[None]) -> None:
        """Close, and read on until the client has answered.

        Closed with input unread, TCP would reset the connection, and the client lose what it was told last. While
        another task reads, aiohttp doesn't wait for the answer.
        """
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await self._socket.close(code=self._sink.close_code, message=self._sink.close_reason.encode())

    async def _read(self) -> None:
        while True:
            try:
                message = await self._receive()
                if message.type is WSMsgType.PING:
                    async with asyncio.timeout(self._config.ping_timeout_s):
                        await self._socket.pong(message.data)
                elif message.type in (WSMsgType.BINARY, WSMsgType.TEXT):
                    self._handle(self._framing.decode(message.data))
                elif message.type is not WSMsgType.PONG:
                    return
            except TimeoutError:
                self._cut_off("silent")
                return
            except ConnectionError:
                return
            except BadFrame as error:
                log.info("bad frame", error=str(error), remote=self._request.remote)
                await self._socket.close(code=self.BAD_FRAME_CODE, message=str(error).encode())
                return

    async def _receive(self) -> WSMessage:
        """The next frame. Raises TimeoutError for a silent client, after a second look.

        When the event loop itself has stalled, timers fire before what arrived meanwhile is read.
        """
        try:
            return await self._socket.receive(timeout=self._config.ping_timeout_s)
        except TimeoutError:
            return await self._socket.receive(timeout=SECOND_LOOK_S)

    def _handle(self, request: M) -> None:
        raise NotImplementedError

    async def _write(self) -> None:
        try:
            await self._write_until_closed()
        except TimeoutError:
            self._cut_off("slow reader")
        except ConnectionError:
            self._cut_off("connection lost")

    async def _write_until_closed(self) -> None:
        """Empty the queue, until it is closed and empty."""
        ping_at = time.monotonic() + self._config.control_ping_s
        while not self._sink.overflowed:
            frame = self._sink.take()
            wait_s = ping_at - time.monotonic()
            if wait_s <= 0:
                await self._send(b"", WSMsgType.PING)
                ping_at = time.monotonic() + self._config.control_ping_s
            if frame is not None:
                text = isinstance(frame, str)
                data = frame.encode() if isinstance(frame, str) else frame
                await self._send(data, WSMsgType.TEXT if text else WSMsgType.BINARY)
            elif self._sink.closing:
                return
            elif wait_s > 0:
                await self._wait(wait_s)
        self._cut_off("send queue full")

    async def _send(self, data: bytes, kind: WSMsgType) -> None:
        async with asyncio.timeout(self._config.ping_timeout_s):
            await self._socket.send_frame(data, kind)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._sink.changed()
        except TimeoutError:
            pass

    def _cut_off(self, why: str) -> None:
        """Drop the TCP connection without waiting for anything in it."""
        if self._request.transport is not None:
            log.info("connection cut off", why=why, remote=self._request.remote)
            self._request.transport.abort()


class Connection(FrameLoop[rtc.SignalRequest]):
    """A client's connection."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        sink: QueueSink,
        framing: Framing,
        session: Session | None,
        config: SignalingConfig,
    ) -> None:
        super().__init__(request, socket, sink, framing, config)
        self._session = session

    def _handle(self, request: rtc.SignalRequest) -> None:
        """Answer pings here, at once; leave everything else to the session."""
        kind = request.WhichOneof("message")
        if kind == "ping":
            self._sink.send(rtc.SignalResponse(pong=_now_ms()))
        elif kind == "ping_req":
            pong = rtc.Pong(last_ping_timestamp=request.ping_req.timestamp, timestamp=_now_ms())
            self._sink.send(rtc.SignalResponse(pong_resp=pong))
        elif kind is not None and self._session is not None:
            self._session.handle(request)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
