import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from signaling.errors import BadFrame
from signaling.frames import Opcode, frame
from signaling.framing import Framing, SharedFrames

PING = rtc.SignalRequest(ping_req=rtc.Ping(timestamp=7, rtt=2))
PONG = rtc.SignalResponse(pong_resp=rtc.Pong(last_ping_timestamp=7, timestamp=9))


def test_starts_binary() -> None:
    framing = Framing()
    assert framing.encode(PONG) == frame(Opcode.BINARY, PONG.SerializeToString())
    assert framing.decode(PING.SerializeToString()) == PING


def test_a_text_frame_turns_answers_to_protojson_and_a_binary_one_back() -> None:
    framing = Framing()
    assert framing.decode('{"pingReq": {"timestamp": "7", "rtt": 2}}') == PING
    answer = framing.encode(PONG)
    assert answer[0] == 0x80 | Opcode.TEXT
    assert json.loads(answer[2:]) == {"pongResp": {"lastPingTimestamp": "7", "timestamp": "9"}}
    framing.decode(PING.SerializeToString())
    assert framing.encode(PONG)[0] == 0x80 | Opcode.BINARY


def test_what_many_are_told_is_encoded_once() -> None:
    shared = SharedFrames()
    one, other = Framing(shared), Framing(shared)
    frame_of_one = one.encode(PONG)
    assert other.encode(PONG) is frame_of_one
    other.encode(rtc.SignalResponse(pong=1))
    assert one.encode(PONG) == frame_of_one


def test_proto_names_and_unknown_fields_are_read() -> None:
    request = Framing().decode(
        '{"add_track": {"cid": "c1", "type": "AUDIO", "nobodyKnows": [1]}, "future": {}}'
    )
    assert request.add_track == rtc.AddTrackRequest(cid="c1", type=models.TrackType.AUDIO)


def test_empty_and_unknown_messages_are_no_errors() -> None:
    assert Framing().decode(b"").WhichOneof("message") is None
    assert Framing().decode("{}").WhichOneof("message") is None
    assert Framing().decode(b"\xc2\x0c\x02hi").WhichOneof("message") is None  # field 200


BAD_FRAMES = {
    "truncated": PING.SerializeToString()[:-1],
    "endless varint": b"\xff" * 40,
    "invalid UTF-8 in a string": b"\x22\x03\x0a\x01\xff",
    "no JSON": "hello",
    "no object": "[1]",
    "null": "null",
    "two messages of a oneof": '{"ping": "1", "mute": {"sid": "TR_x"}}',
    "wrong type": '{"ping": {"a": 1}}',
    "number too large": '{"ping": "99999999999999999999999"}',
    "infinite number": '{"ping": 1e999}',
    "lone surrogate": '{"mute": {"sid": "\\ud800"}}',
    "brackets": "[" * 100_000,
    "braces": '{"offer":' * 100_000,
    "unknown braces": '{"x":' * 100_000,
}


@pytest.mark.parametrize("frame", BAD_FRAMES.values(), ids=BAD_FRAMES.keys())
def test_bad_frames_are_one_kind_of_error(frame: bytes | str) -> None:
    with pytest.raises(BadFrame):
        Framing().decode(frame)


FIELDS = st.sampled_from(
    sorted(
        name
        for message in (
            rtc.SignalRequest,
            rtc.AddTrackRequest,
            rtc.UpdateParticipantMetadata,
            rtc.SyncState,
            rtc.SimulateScenario,
        )
        for name in message.DESCRIPTOR.fields_by_name
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | JSON.map(json.dumps) | st.text(max_size=60))
def test_any_frame_is_a_request_or_a_bad_frame(frame: bytes | str) -> None:
    try:
        request = Framing().decode(frame)
    except BadFrame:
        return
    assert isinstance(request, rtc.SignalRequest)
