"""Messages to frames and back: protobuf in binary frames, protojson in text frames.

A connection starts binary. A text frame from the client turns its answers to protojson, a later binary frame
turns them back (LiveKit 1.13.5 does the same). Sizes are the WebSocket layer's business.
"""

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from livekit.protocol import rtc

from signaling.errors import BadFrame

MAX_JSON_DEPTH = 20
"""Nesting of messages in one protojson frame; the deepest real request has six."""


class Framing:
    """The codec of one connection."""

    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = False

    def decode(self, frame: bytes | str) -> rtc.SignalRequest:
        """Read one frame and answer in its kind from now on. Raises BadFrame."""
        self.text = isinstance(frame, str)
        return _from_json(frame) if isinstance(frame, str) else _from_bytes(frame)

    def encode(self, response: rtc.SignalResponse) -> bytes | str:
        """Write one frame, text or binary as the client last spoke."""
        if self.text:
            return json_format.MessageToJson(response, indent=None)
        return response.SerializeToString()


def _from_bytes(frame: bytes) -> rtc.SignalRequest:
    try:
        return rtc.SignalRequest.FromString(frame)
    except DecodeError as error:
        raise BadFrame("not a SignalRequest") from error


def _from_json(frame: str) -> rtc.SignalRequest:
    request = rtc.SignalRequest()
    try:
        json_format.Parse(frame, request, ignore_unknown_fields=True, max_recursion_depth=MAX_JSON_DEPTH)
    except (json_format.ParseError, RecursionError) as error:
        raise BadFrame("not a SignalRequest in protojson") from error
    return request
