import json

from tests.harness.raw_signal import signalling
from tests.harness.server import Server


async def test_json_requests_get_json_answers(server: Server, room: str) -> None:
    async with signalling(server, server.token(room, "alice", can_update_own_metadata=True)) as alice:
        await alice.hears("join")
        await alice.send_text(json.dumps({"pingReq": {"timestamp": "1700000000001", "rtt": "3"}}))
        assert (await alice.hears("pong_resp")).last_ping_timestamp == 1700000000001
        profile = {"metadata": "m", "name": "n", "attributes": {"a": "b"}, "request_id": 7}
        await alice.send_text(json.dumps({"update_metadata": profile, "nonsense": {"a": 1}}))
        answer = await alice.hears("request_response")
        assert (answer.request_id, answer.reason) == (7, answer.OK)
        info = await alice.learns("alice", lambda info: info.attributes.get("a") == "b")
        assert (info.name, info.metadata) == ("n", "m")
        since_text = alice.frames[[frame.is_text for frame in alice.frames].index(True) :]
        assert all(frame.is_text for frame in since_text)


async def test_a_binary_frame_turns_the_answers_back_to_binary(server: Server, room: str) -> None:
    async with signalling(server, server.token(room, "alice")) as alice:
        await alice.send_text('{"ping": "1"}')
        await alice.hears("pong")
        await alice.send(ping_req={"timestamp": 2})
        await alice.hears("pong_resp")
        assert {frame.kind: frame.is_text for frame in alice.frames if frame.kind.startswith("pong")} == {
            "pong": True,
            "pong_resp": False,
        }


async def test_a_track_is_announced_and_a_leave_echoed_in_json(server: Server, room: str) -> None:
    async with signalling(server, server.token(room, "alice")) as alice:
        await alice.send_text(json.dumps({"addTrack": {"cid": "c1", "name": "mic", "source": "MICROPHONE"}}))
        published = await alice.hears("track_published")
        assert (published.cid, published.track.name) == ("c1", "mic")
        assert published.track.sid.startswith("TR_")
        await alice.send_text('{"leave": {"reason": "CLIENT_INITIATED"}}')
        assert await alice.ends() == 1000


async def test_text_that_is_no_json_ends_the_connection(server: Server, room: str) -> None:
    async with signalling(server, server.token(room, "alice")) as alice:
        await alice.hears("join")
        await alice.send_text("{nope")
        assert await alice.ends() == 1000
        assert not alice.heard("leave")
