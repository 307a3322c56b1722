import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models, room

from hubbub.api.twirp.codec import JSON, PROTOBUF, Malformed, decode, encode
from hubbub.api.twirp.json_writer import to_json


def test_json_has_everything_in_the_order_of_the_declaration() -> None:
    written = to_json(models.Room(name="r", creation_time=5))
    assert list(written)[:6] == [
        "sid",
        "name",
        "empty_timeout",
        "departure_timeout",
        "max_participants",
        "creation_time",
    ]
    assert written["creation_time"] == "5"
    assert written["version"] is None
    assert written["enabled_codecs"] == []


def test_json_goes_into_lists_maps_and_oneofs() -> None:
    dispatch = {"agent_name": "bot", "attributes": {"a": "b"}}
    request = room.CreateRoomRequest(tags={"k": "v"}, agents=[dispatch])
    written = to_json(request)
    assert written["tags"] == {"k": "v"}
    assert written["agents"][0]["attributes"] == {"a": "b"}
    assert written["egress"] is None
    packet = to_json(models.DataPacket(user=models.UserPacket(payload=b"hi")))
    assert packet["user"]["payload"] == "aGk="
    assert "speaker" not in packet, "members of a oneof that are not chosen are left out"
    assert "topic" not in packet["user"], "so are optional fields"


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "r", "empty_timeout": 5}',
        b'{"name": "r", "emptyTimeout": "5", "nonsense": {"deep": [1]}}',
        b' {"name":"r","emptyTimeout":5,"metadata":null}',
    ],
)
def test_json_is_read_in_either_case(body: bytes) -> None:
    request = decode(body, JSON, room.CreateRoomRequest())
    assert (request.name, request.empty_timeout) == ("r", 5)


@pytest.mark.parametrize("kind", ['"LOSSY"', "1"])
def test_enums_are_read_by_name_or_number(kind: str) -> None:
    body = f'{{"kind": {kind}}}'.encode()
    assert decode(body, JSON, room.SendDataRequest()).kind == models.DataPacket.LOSSY


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'["name"]',
        b"null",
        b"5",
        b'{"name": 5}',
        b'{"name": "r", "name": "s"}',
        b'{"empty_timeout": -1}',
        b'{"empty_timeout": 1e300}',
        b'{"empty_timeout": NaN}',
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b'{"agents": {}}',
        b'{"agents": [null]}',
        b'{"tags": []}',
        b'{"name":' + b"[" * 100_000,
        b'{"egress":' * 50,
    ],
)
def test_other_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode(body, JSON, room.CreateRoomRequest())


@given(st.binary())
def test_bytes_are_a_message_or_malformed(body: bytes) -> None:
    for media_type in (JSON, PROTOBUF):
        with contextlib.suppress(Malformed):
            decode(body, media_type, room.UpdateParticipantRequest())


def test_protobuf_both_ways() -> None:
    request = room.CreateRoomRequest(name="r", tags={"a": "b"})
    body = encode(request, PROTOBUF)
    assert decode(body, PROTOBUF, room.CreateRoomRequest()) == request
    with pytest.raises(Malformed):
        decode(b"\xff\xff\xff", PROTOBUF, room.CreateRoomRequest())


def test_json_both_ways() -> None:
    request = room.SendDataRequest(room="ä\u2028", data=b"\0\xff", topic="t")
    body = encode(request, JSON)
    assert json.loads(body)["room"] == "ä\u2028"
    assert decode(body, JSON, room.SendDataRequest()) == request
