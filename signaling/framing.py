"""Messages to frames and back: protobuf in binary frames, protojson in text frames.

A connection starts binary. A text frame from the client turns its answers to protojson, a later binary frame
turns them back (LiveKit 1.13.5 does the same). Sizes are the WebSocket layer's business.
"""

from typing import Generic, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from livekit.protocol import rtc

from signaling.errors import BadFrame

MAX_JSON_DEPTH = 20
"""Nesting of messages in one protojson frame; the deepest real request has six."""

M = TypeVar("M", bound=Message)


class MessageFraming(Generic[M]):
    """The codec of one connection, whose client sends messages of one type."""

    __slots__ = ("_incoming", "text")

    def __init__(self, incoming: type[M]) -> None:
        self._incoming = incoming
        self.text = False

    def decode(self, frame: bytes | str) -> M:
        """Read one frame and answer in its kind from now on. Raises BadFrame."""
        self.text = isinstance(frame, str)
        return self._from_json(frame) if isinstance(frame, str) else self._from_bytes(frame)

    def encode(self, message: Message) -> bytes | str:
        """Write one frame, text or binary as the client last spoke."""
        if self.text:
            return json_format.MessageToJson(message, indent=None)
        return message.SerializeToString()

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

    def __init__(self) -> None:
        super().__init__(rtc.SignalRequest)
