"""Running a call over REST."""

import asyncio
import threading

import aiohttp
import pytest
from livekit import rtc

from hubbub import Server
from tests.harness.eventually import eventually

HOST = {"hubbub.role": "host"}


def url(server: Server) -> str:
    return server.url.replace("http", "ws").rstrip("/")


async def post(api: aiohttp.ClientSession, path: str, body: object = None) -> int:
    async with api.post(path, json=body) as answer:
        return answer.status


async def test_a_locked_room_takes_nobody_in(api: aiohttp.ClientSession, server: Server) -> None:
    room = server.rooms.create("kitchen")
    assert await post(api, "/api/rooms/kitchen/lock") == 204
    ann = rtc.Room()
    with pytest.raises(rtc.ConnectError):
        await ann.connect(url(server), room.token("ann"))
    assert await post(api, "/api/rooms/kitchen/unlock") == 204
    await ann.connect(url(server), room.token("ann"))
    await ann.disconnect()
    assert await post(api, "/api/rooms/attic/lock") == 404


async def test_roles_and_muting_all(api: aiohttp.ClientSession, server: Server) -> None:
    room = server.rooms.create("kitchen")
    ann = rtc.Room()
    await ann.connect(url(server), room.token("ann"))
    source = rtc.AudioSource(48_000, 1)
    await ann.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("mic", source))
    here = room.participants["ann"]
    await eventually(lambda: here.tracks)
    async with api.post("/api/rooms/kitchen/mute-all") as answer:
        assert (await answer.json())["muted"] == [here.tracks[0].sid]
    assert here.tracks[0].muted
    role = "/api/rooms/kitchen/participants/ann/role"
    async with api.put(role, json={"role": "attendee"}) as answer:
        person = await answer.json()
    assert (person["permissions"]["can_publish"], person["tracks"]) == (False, [])
    async with api.put(role, json={"role": "emperor"}) as answer:
        assert answer.status == 400
    await ann.disconnect()


async def test_a_ban_keeps_somebody_out_until_it_is_lifted(
    api: aiohttp.ClientSession, server: Server
) -> None:
    room = server.rooms.create("kitchen")
    ann = rtc.Room()
    gone: list[object] = []
    ann.on("disconnected", gone.append)
    await ann.connect(url(server), room.token("ann"))
    async with api.post("/api/bans", json={"identity": "ann", "reason": "noise"}) as answer:
        assert answer.status == 201
        ban = await answer.json()
    await eventually(lambda: gone)
    with pytest.raises(rtc.ConnectError):
        await rtc.Room().connect(url(server), room.token("ann"))
    async with api.get("/api/bans") as answer:
        assert (await answer.json())["bans"] == [ban]
    async with api.delete(f"/api/bans/{ban['id']}") as answer:
        assert answer.status == 204
    async with api.delete(f"/api/bans/{ban['id']}") as answer:
        assert answer.status == 404
    for body in ({}, {"identity": "a", "network": "10.0.0.0/8"}, {"network": "nowhere"}):
        assert await post(api, "/api/bans", body) == 400


async def test_the_host_is_passed_on_and_the_call_ended(api: aiohttp.ClientSession, server: Server) -> None:
    room = server.rooms.create("kitchen")
    people = {name: await connected(server, room.token(name, attributes=HOST)) for name in ("ann", "ben")}
    people["cora"] = await connected(server, room.token("cora"))
    here = room.participants

    def roles() -> list[str]:
        return [here[name].attributes.get("hubbub.role", "") for name in people]

    async with api.post("/api/rooms/kitchen/pass-host", json={"identity": "cora", "host": "ann"}) as answer:
        person = await answer.json()
    assert (person["identity"], person["attributes"]) == ("cora", HOST)
    assert roles() == ["speaker", "host", "host"]
    assert await post(api, "/api/rooms/kitchen/pass-host", {"identity": "ann"}) == 200
    assert roles() == ["host", "speaker", "speaker"]
    await eventually(lambda: people["cora"].local_participant.attributes == {"hubbub.role": "speaker"})
    for body, status in (
        ({"identity": "nobody"}, 404),
        ({"identity": "ann", "host": "nobody"}, 404),
        ({"identity": "ann", "host": "ann"}, 400),
        ({}, 400),
    ):
        assert await post(api, "/api/rooms/kitchen/pass-host", body) == status
    gone: list[object] = []
    for one in people.values():
        one.on("disconnected", gone.append)
    assert await post(api, "/api/rooms/kitchen/end") == 204
    await eventually(lambda: gone == [rtc.DisconnectReason.ROOM_DELETED] * 3)
    assert await post(api, "/api/rooms/kitchen/end") == 404


async def connected(server: Server, token: str) -> rtc.Room:
    room = rtc.Room()
    await room.connect(url(server), token)
    return room


@pytest.mark.parametrize("path", ["end", "pass-host", "lock", "mute-all"])
async def test_who_administers_another_room_runs_no_call_here(server: Server, path: str) -> None:
    room = server.rooms.create("kitchen")
    token = server.rooms.create("attic").token("ann", room_admin=True)
    headers = {"Authorization": f"Bearer {token}"}
    body = {"identity": "ann"} if path == "pass-host" else None
    async with aiohttp.ClientSession(server.url, headers=headers) as stranger:
        assert await post(stranger, f"/api/rooms/kitchen/{path}", body) == 401
        assert await post(stranger, f"/api/rooms/attic/{path}", body) in (200, 204, 404)
    assert room.name in [one.name for one in server.rooms]


async def test_nothing_is_answered_before_it_is_on_disk(api: aiohttp.ClientSession, server: Server) -> None:
    room = server.rooms.create("kitchen")
    await room.join("ann")
    disk = threading.Event()
    server.database.submit(lambda _: disk.wait())
    calls = [
        api.post("/api/bans", json={"identity": "ben"}),
        api.delete("/api/rooms/kitchen/participants/ann"),
    ]
    answers = [asyncio.ensure_future(one.__aenter__()) for one in calls]
    await eventually(lambda: "ann" not in room.participants and server.administration.bans.all())
    async with api.get("/api/health") as health:
        assert health.status == 200, "nothing else waits for the disk"
    assert not any(one.done() for one in answers)
    disk.set()
    assert [(await one).status for one in answers] == [201, 204]
