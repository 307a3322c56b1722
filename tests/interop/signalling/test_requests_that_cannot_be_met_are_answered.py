from typing import Any

import pytest
from livekit.protocol.models import DisconnectReason, TrackSource, TrackType
from livekit.protocol.rtc import RequestResponse

from tests.harness.raw_signal import signalling
from tests.harness.server import Server

Reason = RequestResponse.Reason

MICROPHONE = {"cid": "c1", "source": TrackSource.MICROPHONE}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("add_track", MICROPHONE, "QUEUED"),
    ("add_track", {"cid": "c2", "type": TrackType.DATA}, "UNSUPPORTED_TYPE"),
    ("add_track", {"cid": "c3", "type": TrackType.VIDEO, "sid": "TR_VCx"}, "NOT_FOUND"),
    ("mute", {"sid": "TR_AMx", "muted": True}, "NOT_FOUND"),
    ("trickle", {"candidateInit": "nonsense"}, "UNCLASSIFIED_ERROR"),
    ("update_metadata", {"name": "n" * 257, "request_id": 7}, "LIMIT_EXCEEDED"),
    ("update_metadata", {"metadata": "n" * 530_000, "request_id": 8}, "LIMIT_EXCEEDED"),
    ("update_audio_track", {"track_sid": "TR_AMx"}, "NOT_FOUND"),
    ("publish_data_track_request", {"name": "x"}, "INVALID_HANDLE"),
    ("publish_data_track_request", {"pub_handle": 2}, "INVALID_NAME"),
    ("publish_data_track_request", {"pub_handle": 1, "name": "b"}, "DUPLICATE_HANDLE"),
    ("publish_data_track_request", {"pub_handle": 2, "name": "a"}, "DUPLICATE_NAME"),
    ("unpublish_data_track_request", {"pub_handle": 9}, "NOT_FOUND"),
    ("store_data_blob_request", {}, "NOT_ALLOWED"),
]


@pytest.mark.parametrize(
    ("name", "fields", "reason"), REFUSED, ids=[f"{name}-{reason}" for name, _, reason in REFUSED]
)
async def test_the_answer_says_why_and_repeats_the_request(
    server: Server, room: str, name: str, fields: dict[str, Any], reason: str
) -> None:
    async with signalling(server, server.token(room, "alice", can_update_own_metadata=True)) as alice:
        await alice.send(add_track=MICROPHONE)
        await alice.send(publish_data_track_request={"pub_handle": 1, "name": "a"})
        await alice.hears("publish_data_track_response")
        await alice.send(**{name: fields})
        answer = await alice.hears("request_response")
        assert Reason.Name(answer.reason) == reason
        assert answer.request_id == fields.get("request_id", 0)
        assert answer.WhichOneof("request") in (name.removesuffix("_request"), None)


async def test_what_needs_no_answer_leaves_the_session_alive(server: Server, room: str) -> None:
    async with signalling(server, server.token(room, "alice")) as alice:
        await alice.send(subscription={"track_sids": ["TR_AMx"], "subscribe": True})
        await alice.send(track_setting={"track_sids": ["TR_VCx"]})
        await alice.send(ping=1)
        await alice.hears("pong")


async def test_an_offer_that_makes_no_sense_lets_the_client_begin_anew(server: Server, room: str) -> None:
    async with signalling(server, server.token(room, "alice")) as alice:
        await alice.send(offer={"type": "offer", "sdp": "garbage", "id": 3})
        leave = await alice.hears("leave")
        assert (leave.reason, leave.action) == (DisconnectReason.STATE_MISMATCH, leave.RECONNECT)


@pytest.mark.parametrize("request_id", [0, 5])
async def test_a_changed_profile_is_confirmed_and_told(server: Server, room: str, request_id: int) -> None:
    async with signalling(server, server.token(room, "alice", can_update_own_metadata=True)) as alice:
        await alice.send(update_metadata={"metadata": "m", "name": "n", "request_id": request_id})
        answer = await alice.hears("request_response")
        assert (answer.request_id, answer.reason) == (request_id, answer.OK)
        info = await alice.learns("alice", lambda info: info.metadata == "m")
        assert info.name == "n"
        versions = [info.version for update in alice.heard("update") for info in update.participants]
        assert versions == sorted(versions)


async def test_without_the_grant_a_profile_change_is_not_allowed(server: Server, room: str) -> None:
    async with signalling(server, server.token(room, "alice")) as alice:
        await alice.send(update_metadata={"name": "n", "request_id": 5})
        answer = await alice.hears("request_response")
        assert (answer.request_id, answer.reason) == (5, answer.NOT_ALLOWED)


async def test_without_the_grant_a_track_is_not_allowed(server: Server, room: str) -> None:
    async with signalling(server, server.token(room, "alice", can_publish=False)) as alice:
        await alice.send(add_track=MICROPHONE)
        answer = await alice.hears("request_response")
        assert answer.reason == answer.NOT_ALLOWED
        assert answer.add_track.cid == "c1"
