"""The same JSON as protobuf's own writer's, but for what is unset."""

import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import agent_dispatch, egress, models, room, rtc

from hubbub.api.twirp.json_writer import _float32, pieces, to_json

TYPES = [
    GetMessageClass(method.output_type)
    for service in (room.DESCRIPTOR, agent_dispatch.DESCRIPTOR, egress.DESCRIPTOR)
    for one in service.services_by_name.values()
    for method in one.methods
] + [models.ParticipantInfo, models.DataPacket, rtc.SignalResponse]

MAX_DEPTH = 3


def fill(message: Message, data: st.DataObject, depth: int = 0) -> Message:
    """Set some fields of a message, whatever type it has."""
    for field in message.DESCRIPTOR.fields:
        if depth > MAX_DEPTH or not data.draw(st.booleans()):
            continue
        map_entry = field.message_type is not None and field.message_type.GetOptions().map_entry
        if map_entry:
            key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
            target = getattr(message, field.name)
            if value.message_type is None:
                target[_scalar(key, data)] = _scalar(value, data)
            else:
                fill(target[_scalar(key, data)], data, depth + 1)
        elif field.message_type is not None:
            target = getattr(message, field.name)
            if field.is_repeated:
                for _ in range(data.draw(st.integers(0, 2))):
                    fill(target.add(), data, depth + 1)
            else:
                target.SetInParent()
                if not field.message_type.full_name.startswith("google.protobuf."):
                    fill(target, data, depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).extend([_scalar(field, data)])
        else:
            setattr(message, field.name, _scalar(field, data))
    return message


def _scalar(field: Any, data: st.DataObject) -> Any:
    kind = field.cpp_type
    if kind == field.CPPTYPE_ENUM:
        return data.draw(st.one_of(st.sampled_from(list(field.enum_type.values_by_number)), st.just(99)))
    drawn = {
        field.CPPTYPE_BOOL: st.booleans(),
        field.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
        field.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
        field.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
        field.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
        field.CPPTYPE_FLOAT: st.floats(width=32),
        field.CPPTYPE_DOUBLE: st.floats(),
        field.CPPTYPE_STRING: st.binary() if field.type == field.TYPE_BYTES else st.text(),
    }[kind]
    return data.draw(drawn)


def without_unset(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_unset(item) for key, item in value.items() if item is not None}
    return [without_unset(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", dict.fromkeys(TYPES), ids=lambda kind: kind.DESCRIPTOR.name)
@given(data=st.data())
def test_what_is_set_is_written_as_protobuf_does(kind: type[Message], data: st.DataObject) -> None:
    message = fill(kind(), data)
    theirs = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    ours = to_json(message)
    assert without_unset(ours) == without_unset(theirs)
    assert json.loads("".join(pieces(message))) == json.loads(json.dumps(ours))
    order = [field.name for field in message.DESCRIPTOR.fields]
    assert sorted(ours, key=order.index) == list(ours)


@pytest.mark.parametrize(
    ("given_", "written"),
    [(0.1, 0.1), (1 / 3, 0.33333334), (16777216.0, 16777216.0), (3.4028234663852886e38, 3.4028235e38),
     (float("inf"), "Infinity"), (float("-inf"), "-Infinity"), (0.0, 0.0)],
)  # fmt: skip
def test_floats_of_32_bits_are_short(given_: float, written: object) -> None:
    assert _float32(models.SpeakerInfo(level=given_).level) == written


def test_long_lists_come_in_pieces() -> None:
    response = room.ListRoomsResponse(rooms=[models.Room(name=str(number)) for number in range(100)])
    assert len(list(pieces(response))) > 100
    assert "".join(pieces(room.ListRoomsResponse())) == '{"rooms":[]}'
    assert "".join(pieces(room.DeleteRoomResponse())) == "{}"
