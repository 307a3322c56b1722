"""Messages to frames and back: protobuf in binary frames, protojson in text frames.

A connection starts binary. A text frame from the client turns its answers to protojson, a later binary frame
turns them back (LiveKit 1.13.5 does the same). Sizes are the WebSocket layer's business.
"""

from typing import Generic, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from livekit.protocol import rtc

from signaling.errors import BadFrame
from signaling.frames import Opcode, frame

MAX_JSON_DEPTH = 20
"""Nesting of messages in one protojson frame; the deepest real request has six."""

M = TypeVar("M", bound=Message)


class SharedFrames:
    """Frames for many connections: what everybody in a room is told is encoded once.

    Remembers the last message by identity, and keeps it so that no other can take its place. Messages must not be
    changed once they are sent.
    """

    __slots__ = ("_binary", "_last")

    def __init__(self) -> None:
        self._last: Message | None = None
        self._binary = b""

    def binary(self, message: Message) -> bytes:
        """The whole WebSocket frame of a message."""
        if message is not self._last:
            self._binary = frame(Opcode.BINARY, message.SerializeToString())
            self._last = message
        return self._binary


class MessageFraming(Generic[M]):
    """The codec of one connection, whose client sends messages of one type."""

    __slots__ = ("_incoming", "_shared", "text")

    def __init__(self, incoming: type[M], shared: SharedFrames | None = None) -> None:
        self._incoming = incoming
        self._shared = shared or SharedFrames()
        self.text = False

    def decode(self, frame: bytes | str) -> M:
        """Read one frame and answer in its kind from now on. Raises BadFrame."""
        self.text = isinstance(frame, str)
        return self._from_json(frame) if isinstance(frame, str) else self._from_bytes(frame)

    def encode(self, message: Message) -> bytes:
        """The WebSocket frame of one message, text or binary as the client last spoke."""
        if self.text:
            return frame(Opcode.TEXT, json_format.MessageToJson(message, indent=None).encode())
        return self._shared.binary(message)

    def _from_bytes(self, frame: bytes) -> M:
        try:
            return self._incoming.FromString(frame)
        except DecodeError as error:
            raise BadFrame(f"not a {self._incoming.DESCRIPTOR.name}") from error

    def _from_json(self, frame: str) -> M:
        message = self._incoming()
        try:
            json_format.Parse(frame, message, ignore_unknown_fields=True, max_recursion_depth=MAX_JSON_DEPTH)
        except (json_format.ParseError, RecursionError) as error:
            raise BadFrame(f"not a {self._incoming.DESCRIPTOR.name} in protojson") from error
        return message


class Framing(MessageFraming[rtc.SignalRequest]):
    """The codec of a signal connection."""

    __slots__ = ()

    def __init__(self, shared: SharedFrames | None = None) -> None:
        super().__init__(rtc.SignalRequest, shared)
