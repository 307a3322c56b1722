"""Roles and host controls with a stock SDK: attributes of tokens, and data packets of a reserved topic."""

import base64
import json
from typing import Any

import aiohttp
import pytest
from livekit import rtc

from tests.harness.clients import Join, SdkClient
from tests.harness.eventually import eventually
from tests.harness.server import Server

HOST, SPEAKER = {"hubbub.role": "host"}, {"hubbub.role": "speaker"}
TOPIC = "hubbub.control"


async def ask(client: SdkClient, **request: Any) -> dict[str, Any]:
    """The answer to a request to the server."""
    number = len(client.heard("data_received")) + 1

    def answered(packet: Any) -> bool:
        return bool(packet.topic == TOPIC and json.loads(packet.data).get("id") == number)

    await client.me.publish_data(json.dumps(request | {"id": number}), topic=TOPIC)
    (packet,) = await client.hears("data_received", answered)
    assert packet.participant is None
    answer: dict[str, Any] = json.loads(packet.data)
    return answer


async def test_a_host_mutes_and_removes_and_locks(join: Join, server: Server, room: str) -> None:
    ticket = server.token(room, "ann", attributes=SPEAKER)
    async with (
        join("host", attributes=HOST) as host,
        join("ann", attributes=SPEAKER) as ann,
        join("bob", attributes=SPEAKER) as bob,
    ):
        assert (await ann.sees("host")).attributes == HOST
        await ann.publish_tone(440)
        await bob.publish_tone(880)
        await (await host.audio_of("ann")).hears(440)
        await (await host.audio_of("bob")).hears(880)
        assert len((await ask(host, action="mute_all"))["muted"]) == 2
        await host.hears("track_muted", lambda who, _: who.identity == "ann")
        assert (await ask(host, action="lock"))["ok"]
        with pytest.raises(rtc.ConnectError):
            async with join("late"):
                pass
        assert (await ask(host, action="remove", identity="ann"))["ok"]
        (reason,) = await ann.hears("disconnected")
        assert reason == rtc.DisconnectReason.PARTICIPANT_REMOVED
        assert (await ask(host, action="unlock"))["ok"]
        with pytest.raises(rtc.ConnectError):
            await SdkClient().connect(server, ticket)
        # The others get no part of this conversation.
        told = [json.loads(packet.data) for (packet,) in bob.heard("data_received")]
        assert [each for each in told if "event" not in each] == []


async def test_the_host_is_passed_on_and_the_call_ended(join: Join) -> None:
    async with join("host", attributes=HOST) as host, join("ann", attributes=SPEAKER) as ann:
        await host.sees("ann")
        refused = await ask(ann, action="end")
        assert refused["error"]["code"] == "not_allowed"
        assert (await ask(host, action="pass_host", identity="ann"))["ok"]
        await eventually(lambda: ann.me.attributes == HOST, "the new role")
        await eventually(lambda: host.me.attributes == SPEAKER, "the new role")
        await ann.me.publish_data(json.dumps({"action": "end"}), topic=TOPIC)
        for client in (host, ann):
            assert await client.hears("disconnected") == (rtc.DisconnectReason.ROOM_DELETED,)


@pytest.mark.parametrize(("role", "may"), [("host", True), ("speaker", False)])
async def test_what_a_role_grants_holds_from_the_join_on(
    join: Join, server: Server, room: str, role: str, may: bool
) -> None:
    """Whatever the token says of it."""
    own = {"attributes": {"hubbub.role": role}, "can_update_own_metadata": not may, "room_admin": not may}
    token = server.token(room, "ann", **own)
    async with join("ann", **own) as ann, join("ben") as ben:
        await ann.me.set_metadata("about me")
        if may:
            await eventually(lambda: ben.other("ann").metadata == "about me", "the metadata")
        else:
            await ann.me.publish_data("later")
            await ben.hears("data_received")
            assert ben.other("ann").metadata == ""
        async with aiohttp.ClientSession(server.http_url) as http:
            attributes = base64.b64encode(b'{"mood": "good"}').decode()
            query = {"access_token": token, "attributes": attributes}
            async with http.get("/rtc/validate", params=query) as answer:
                assert answer.status == (200 if may else 401)
            headers = {"Authorization": f"Bearer {token}"}
            async with http.post(f"/api/rooms/{room}/mute-all", headers=headers) as answer:
                assert answer.status == (200 if may else 401)
