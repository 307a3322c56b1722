import json
from typing import Any

import pytest

from signaling.jsonws import messages
from signaling.jsonws.cids import sent_cids
from signaling.jsonws.errors import Refused
from signaling.jsonws.messages import parse


def test_what_the_issue_shows_is_understood() -> None:
    join = parse('{"type": "join_room", "room_id": "kitchen", "id": 1}')
    assert isinstance(join, messages.JoinRoom)
    assert (join.room_id, join.id, join.auto_subscribe) == ("kitchen", 1, True)
    publish = parse('{"type": "publish_track", "kind": "video"}')
    assert isinstance(publish, messages.PublishTrack)
    assert publish.cid is None


def test_every_kind_has_a_model_of_its_own_or_is_a_control() -> None:
    assert {"join_room", "leave_room", "ping", "offer", "answer", "candidate"} <= messages.KINDS.keys()
    control = parse('{"type": "remove", "identity": "ann", "ban_s": 5}')
    assert isinstance(control, messages.Control)
    assert control.model_extra == {"identity": "ann", "ban_s": 5}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "bad_request", "JSON object"),
        ("{", "bad_request", "JSON object"),
        ("[]", "bad_request", "JSON object"),
        ("null", "bad_request", "JSON object"),
        ("NaN", "bad_request", "JSON object"),
        ("[" * 100_000, "bad_request", "JSON object"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "bad_request", ""),
        ("{}", "bad_request", "type: is missing"),
        ('{"type": "dance"}', "unknown_type", "no request dance"),
        ('{"type": 5}', "unknown_type", "no request 5"),
        ('{"type": ["join_room"]}', "unknown_type", ""),
        ('{"type": "publish_track"}', "bad_request", "kind: "),
        ('{"type": "publish_track", "kind": "smell"}', "bad_request", "kind: "),
        ('{"type": "publish_track", "kind": "video", "muted": 1}', "bad_request", "muted: "),
        ('{"type": "publish_track", "kind": "video", "colour": "red"}', "bad_request", "colour: "),
        ('{"type": "offer", "sdp": 5}', "bad_request", "sdp: "),
        ('{"type": "send_data", "data": "x", "to": "ann"}', "bad_request", "to: "),
        ('{"type": "send_data", "data": "x", "to": [1]}', "bad_request", "to.0: "),
        ('{"type": "subscribe_track", "track_id": ""}', "bad_request", "track_id: "),
        ('{"type": "set_bandwidth_share", "share": -1}', "bad_request", "share: "),
        ('{"type": "set_bandwidth_share", "share": NaN}', "bad_request", ""),
        ('{"type": "ping", "id": 1.5}', "bad_request", "id"),
        ('{"type": "ping", "id": {"a": 1}}', "bad_request", "id"),
    ],
)
def test_what_is_wrong_is_named(text: str, code: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(text)
    assert refused.value.code == code
    assert words in str(refused.value)
    assert len(str(refused.value)) <= 400


@pytest.mark.parametrize(("id_", "told"), [("a", "a"), (7, 7), ("x" * 65, None), ([], None), (1.5, None)])
def test_errors_repeat_ids_that_are_ids(id_: Any, told: Any) -> None:
    with pytest.raises(Refused) as refused:
        parse(json.dumps({"type": "offer", "id": id_}))
    assert refused.value.request_id == told


def test_the_tracks_of_an_offer() -> None:
    sdp = (
        "v=0\r\nm=audio 9 x 1\r\na=msid:s a1\r\na=sendrecv\r\nm=video 9 x 1\r\na=msid:s v1\r\na=recvonly\r\n"
        "m=video 9 x 1\r\na=sendonly\r\na=msid:- v2\r\nm=application 9 x\r\na=sendrecv\r\na=msid:s no\r\n"
    )
    assert sent_cids(sdp) == [("audio", "a1"), ("video", "v2")]
    assert sent_cids("nonsense") == []
    assert sent_cids("m=audio \r\n" * 1000) == []
