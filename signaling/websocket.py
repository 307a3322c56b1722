"""One connection over a WebSocket: frames between it and whoever takes its messages, without tasks.

Its session never waits: what it sends is queued, and written together soon after as long as the
client reads. A client that doesn't keep up (queue past its limits, or nothing read for ``ping_timeout_s``) is cut
off. So is one from which nothing is heard for ``ping_timeout_s``: a control ping every ``control_ping_s`` makes any
living client's WebSocket layer answer. What losing a connection means is its session's business.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar, cast

import structlog

from signaling.alarm import Alarm
from signaling.config import SignalingConfig
from signaling.errors import BadFrame
from signaling.frames import (
    CloseCode,
    Frame,
    FrameError,
    FrameReader,
    Opcode,
    check_close,
    close_frame,
    frame,
    text_of,
)
from signaling.patience import CLOSE_TIMEOUT_S, Patience

log = structlog.get_logger(__name__)

M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)

MAX_FRAMES_PER_TURN = 64
"""Frames of one client handled before others have their turn."""


def _soon(work: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(work)


class Codec(Protocol[M_co]):
    """Messages to frames and back."""

    def decode(self, frame: bytes | str) -> M_co:
        """A message of the peer. Raises BadFrame."""

    def encode(self, message: Any) -> bytes:
        """The frame of a message to the peer."""


class MessageSocket(asyncio.Protocol, Generic[M]):
    """A connected peer, and its SignalSink (or WorkerSink). Queues until :meth:`connection_made`."""

    BAD_FRAME_CODE: int = CloseCode.NORMAL
    """What a connection is closed with that sends something else than its messages (as LiveKit does)."""

    SLOW_CODE: int | None = None
    """What one that doesn't keep up is closed with, for when it reads again; None cuts it off (as LiveKit does)."""

    def __init__(self, config: SignalingConfig, framing: Codec[M], remote: str) -> None:
        self._config = config
        self._remote = remote
        self.on_end: Callable[[MessageSocket[M]], None] = lambda _: None
        """Called at the very end."""
        self.soon: Callable[[Callable[[], None]], object] = _soon
        """Has something done in one of the next turns of the event loop."""
        self._framing = framing
        self._reader = FrameReader(config.max_message_bytes)
        self._arrived: Iterator[Frame] | None = None
        self.close_reason = ""
        self._transport: asyncio.Transport | None = None
        self._frames: deque[bytes] | None = None
        self._queued_bytes = 0
        self._flushing = False
        self._alarm = Alarm()
        self._patience = Patience(config.control_ping_s, config.ping_timeout_s, time.monotonic())
        self._close_code: int | None = None
        self._deaf = False
        """What comes can't be read any more."""
        self._over = False
        """Cut off, closed or lost: nothing is read or written any more, and what remains is to hear of the loss."""
        self._told = False

    def _handle(self, request: M) -> None:
        """Take one message of the peer."""
        raise NotImplementedError

    def _lost(self) -> None:
        """The connection has ended, whoever ended it."""
        raise NotImplementedError

    # --- the sink ---

    def send(self, response: Any) -> None:
        """Queue one message; ignored when closing or when too much is waiting already."""
        if self._close_code is None and not self._over:
            self._enqueue(self._framing.encode(response))

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Close with this code once the queue is written; nothing more is taken."""
        if self._close_code is None and not self._over:
            self._close_code, self.close_reason = code, reason
            self._flush_soon()

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The upgrade is done."""
        # No isinstance(): uvloop's transports are not asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        if self._over:
            self._transport.abort()
            return
        self._patience.heard(time.monotonic())
        self._set_timer()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The TCP connection has ended, whoever ended it: let go of everything and tell the session."""
        self._over = True
        self._frames = self._arrived = self._transport = None
        self._alarm.cancel()
        if not self._told:
            self._told = True
            self._lost()
            self.on_end(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        if self._over or self._deaf:
            return
        self._patience.heard(time.monotonic())
        self._reader.feed(data)
        if self._arrived is None:
            self._read()

    def pause_writing(self) -> None:
        """The client reads too slowly for now."""
        self._patience.pause(time.monotonic())
        self._set_timer()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._patience.resume()
        self._flush()

    # --- reading ---

    def _read(self) -> None:
        """Handle what has arrived, or a turn's share of it."""
        frames = self._arrived or self._reader.frames()
        self._arrived = None
        try:
            for number, one in enumerate(frames, 1):
                self._take(one)
                if self._over:
                    return
                if number == MAX_FRAMES_PER_TURN:
                    self._read_later(frames)
                    return
        except FrameError as error:
            self._deaf = True
            self._refuse(error.code, str(error))
        except BadFrame as error:
            self._refuse(self.BAD_FRAME_CODE, str(error))
        except Exception:
            log.exception("request failed", remote=self._remote)
            self._cut_off("a request failed")

    def _read_later(self, frames: Iterator[Frame]) -> None:
        assert self._transport is not None
        self._arrived = frames
        self._transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        self._read()
        if self._arrived is None and not self._over and self._transport is not None:
            self._transport.resume_reading()

    def _take(self, one: Frame) -> None:
        match one.opcode:
            case Opcode.PING:
                self._enqueue(frame(Opcode.PONG, one.payload))
            case Opcode.PONG:
                pass
            case Opcode.CLOSE:
                self._closed_by_client(one.payload)
            case Opcode.TEXT if self._close_code is None:
                self._handle(self._framing.decode(text_of(one.payload)))
            case _ if self._close_code is None:
                self._handle(self._framing.decode(one.payload))

    def _closed_by_client(self, payload: bytes) -> None:
        """Answer a close frame, unless it is an answer, and close."""
        assert self._transport is not None
        check_close(payload)
        if not self._patience.closing:
            self._transport.write(frame(Opcode.CLOSE, payload[:2]))
        self._over = True
        self._transport.close()
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self._transport.abort)

    def _refuse(self, code: int, why: str) -> None:
        """Close at once over something that the client sent; what is queued goes first."""
        log.info("bad frame", error=why, remote=self._remote)
        self.close(code, why)

    # --- writing ---

    def _enqueue(self, data: bytes) -> None:
        if self._frames is None:
            self._frames = deque()
        self._frames.append(data)
        self._queued_bytes += len(data)
        config = self._config
        if len(self._frames) > config.send_queue_messages or self._queued_bytes > config.send_queue_bytes:
            self._give_up("send queue full")
        else:
            self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing and self._transport is not None:
            self._flushing = True
            self.soon(self._flush)

    def _flush(self) -> None:
        """Write the queue as far as the client reads it, then the close frame if there is one."""
        self._flushing = False
        if self._over or self._transport is None:
            return
        frames = self._frames
        while frames and not self._patience.paused:
            data = frames.popleft()
            self._queued_bytes -= len(data)
            self._transport.write(data)
        if frames:
            return
        self._frames = None  # an idle queue takes 600 bytes
        if self._close_code is not None and not self._patience.closing:
            self._transport.write(close_frame(self._close_code, self.close_reason))
            # Closed with input unread, TCP would reset the connection, and the client lose what it was told last.
            self._patience.close(time.monotonic())
            self._set_timer()

    # --- time and end ---

    def _set_timer(self) -> None:
        """Wake up when there is something to do next, or earlier if that was wanted before."""
        self._alarm.set(self._patience.next_at(), time.monotonic(), self._on_timer)

    def _on_timer(self) -> None:
        if self._over:
            return
        now = time.monotonic()
        why = self._patience.end_of(now)
        if why is not None:
            self._cut_off(why)
            return
        if self._patience.take_ping(now):
            self._enqueue(frame(Opcode.PING, b""))
        self._set_timer()

    def _give_up(self, why: str) -> None:
        """Drop what is queued for a client that doesn't keep up, and the connection, with a code where it has one."""
        if self._over or self._transport is None or self.SLOW_CODE is None or self._patience.closing:
            self._cut_off(why)
            return
        log.info("connection closed", why=why, remote=self._remote)
        self._over, self._frames = True, None
        self._transport.write(close_frame(self.SLOW_CODE, why))
        self._transport.close()
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self._transport.abort)

    def _cut_off(self, why: str) -> None:
        """Drop the TCP connection without waiting for anything in it; the session hears of it a little later."""
        if not self._over:
            log.info("connection cut off", why=why, remote=self._remote)
            self.abort()

    def abort(self) -> None:
        """End it at once."""
        self._over = True
        self._frames = None
        if self._transport is not None:
            self._transport.abort()
