"""Bodies of Twirp: protobuf, or protobuf's JSON as LiveKit writes and reads it.

Out: snake_case names in the order of the declaration, everything unset included (messages as ``null``), 64-bit
integers as strings, enums by name. In: snake_case or camelCase, enums by name or number, unknown names dropped.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

JSON = "application/json"
PROTOBUF = "application/protobuf"
MAX_DEPTH = 20
"""Nesting of messages in a JSON body; the deepest real request has seven."""


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
    return json.dumps(to_json(message), separators=(",", ":"), ensure_ascii=False).encode()


def to_json(message: Message) -> dict[str, Any]:
    """The JSON object of a message."""
    known = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return _complete(message.DESCRIPTOR, known)


def _complete(descriptor: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    """Fields in the order of their declaration, and ``null`` for messages that are unset."""
    written: dict[str, Any] = {}
    for field in descriptor.fields:
        if field.name in known:
            written[field.name] = _complete_value(field, known[field.name])
        elif field.message_type is not None and field.containing_oneof is None:
            written[field.name] = None
    return written


def _complete_value(field: Any, value: Any) -> Any:
    kind = field.message_type
    if kind is None or kind.full_name.startswith("google.protobuf."):
        return value
    if kind.GetOptions().map_entry:
        entry = kind.fields_by_name["value"]
        return {key: _complete_value(entry, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_complete(kind, item) for item in value]
    return _complete(kind, value)
