"""Bodies of Twirp: protobuf, or protobuf's JSON as LiveKit writes and reads it.

Out: see ``json_writer``. In: snake_case or camelCase, enums by name or number, unknown names dropped.
"""

from typing import TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from hubbub.api.turns import in_turns

from .json_writer import pieces

JSON = "application/json"
PROTOBUF = "application/protobuf"
MAX_DEPTH = 20
"""Nesting of messages in a JSON body; the deepest real request has seven."""
LARGE_BYTES = 4096
"""Messages whose JSON is longer than about twice that are written in turns with the rest of the server."""

M = TypeVar("M", bound=Message)


class Malformed(Exception):
    """A body that is no message of the kind that the method takes."""


def decode(body: bytes, media_type: str, message: M) -> M:
    """Read a body into a new message. Raises Malformed, whatever the body is."""
    if media_type == PROTOBUF:
        try:
            message.ParseFromString(body)
        except DecodeError:
            raise Malformed("the protobuf request could not be decoded") from None
        return message
    try:
        # An empty array passes for an empty object otherwise.
        if not body.lstrip().startswith(b"{"):
            raise json_format.ParseError("not an object")
        json_format.Parse(body, message, ignore_unknown_fields=True, max_recursion_depth=MAX_DEPTH)
    except (json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError):
        raise Malformed("the json request could not be decoded") from None
    return message


def encode(message: Message, media_type: str) -> bytes:
    """Write a message as a body."""
    if media_type == PROTOBUF:
        return message.SerializeToString()
    return "".join(pieces(message)).encode()


async def encode_in_turns(message: Message, media_type: str) -> bytes:
    """The same, letting others have a turn while a long list is written: media doesn't wait."""
    if media_type == PROTOBUF or message.ByteSize() < LARGE_BYTES:
        return encode(message, media_type)
    return "".join([piece async for piece in in_turns(pieces(message))]).encode()
