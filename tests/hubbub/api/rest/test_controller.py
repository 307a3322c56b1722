"""The shape of room controllers around LiveKit."""

import time

import aiohttp
from livekit import rtc

from auth.keys import KeyRing
from auth.tokens import verify
from hubbub import Server
from tests.harness.eventually import eventually
from tests.hubbub.api.rest.conftest import KEY, SECRET


async def test_rooms(api: aiohttp.ClientSession) -> None:
    async with api.post(
        "/livekit/rooms", json={"name": "kitchen", "emptyTimeout": 60, "maxParticipants": 4}
    ) as answer:
        assert answer.status == 201
        room = await answer.json()
    assert room.keys() >= {
        "sid",
        "name",
        "emptyTimeout",
        "maxParticipants",
        "creationTime",
        "numParticipants",
    }
    assert (room["emptyTimeout"], room["maxParticipants"], room["numParticipants"]) == (60, 4, 0)
    async with api.get("/livekit/rooms") as answer:
        assert (await answer.json())["rooms"] == [room]
    async with api.patch("/livekit/rooms/kitchen", json={"metadata": "m", "maxParticipants": 2}) as answer:
        assert (await answer.json())["maxParticipants"] == 2
    async with api.delete("/livekit/rooms/kitchen") as answer:
        assert answer.status == 204
    async with api.patch("/livekit/rooms/kitchen", json={"metadata": "m"}) as answer:
        assert answer.status == 404


async def test_people(api: aiohttp.ClientSession, server: Server) -> None:
    wish = {
        "roomName": "kitchen",
        "participantName": "Ann",
        "identity": "ann",
        "canPublish": True,
        "metadata": "m",
        "ttl": "10m",
    }
    async with api.post("/livekit/token", json=wish) as answer:
        made = await answer.json()
    claims = verify(made["token"], KeyRing({KEY: SECRET}), time.time())
    assert (claims.identity, claims.name, claims.metadata) == ("ann", "Ann", "m")
    assert claims.expires_at is not None
    assert 590 < claims.expires_at - time.time() <= 600
    room = rtc.Room()
    await room.connect(server.url.replace("http", "ws").rstrip("/"), made["token"])
    source = rtc.AudioSource(48_000, 1)
    await room.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("mic", source))
    here = server.rooms["kitchen"].participants["ann"]
    await eventually(lambda: here.tracks)
    async with api.get("/livekit/rooms/kitchen/participants") as answer:
        (person,) = (await answer.json())["participants"]
    assert (person["identity"], person["tracks"][0]["type"]) == ("ann", "audio")
    body = {"trackSid": person["tracks"][0]["sid"], "muted": True}
    async with api.post("/livekit/rooms/kitchen/participants/ann/mute", json=body) as answer:
        assert await answer.json() == body
    assert here.tracks[0].muted
    async with api.delete("/livekit/rooms/kitchen/participants/ann") as answer:
        assert answer.status == 204
    await room.disconnect()


async def test_what_is_wrong_is_named_as_the_caller_wrote_it(api: aiohttp.ClientSession) -> None:
    async with api.post(
        "/livekit/token", json={"roomName": "a", "participantName": "b", "ttl": "soon"}
    ) as answer:
        assert (answer.status, (await answer.json())["error"]["field"]) == (400, "ttl")
    async with api.post("/livekit/rooms", json={"name": "a", "maxParticipants": -1}) as answer:
        assert (await answer.json())["error"]["field"] == "maxParticipants"
