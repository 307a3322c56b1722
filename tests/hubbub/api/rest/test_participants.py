"""People over REST, with real ones in the room."""

import base64
from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio
from livekit import rtc

from hubbub import Server
from tests.harness.eventually import eventually

PEOPLE = "/api/rooms/kitchen/participants"


@pytest_asyncio.fixture
async def ann(api: aiohttp.ClientSession) -> AsyncIterator[rtc.Room]:
    """Ann, invited over REST, with a microphone."""
    invite = {"identity": "ann", "name": "Ann", "attributes": {"mood": "good"}}
    async with api.post(PEOPLE, json=invite) as answer:
        assert answer.status == 201
        invitation = await answer.json()
    room = rtc.Room()
    await room.connect(invitation["url"], invitation["token"])
    source = rtc.AudioSource(48_000, 1)
    await room.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("mic", source))
    yield room
    await room.disconnect()


async def test_who_is_there(api: aiohttp.ClientSession, ann: rtc.Room) -> None:
    async def tracks() -> list[object]:
        async with api.get(f"{PEOPLE}/ann") as answer:
            return list((await answer.json())["tracks"])

    await eventually(tracks)
    async with api.get(PEOPLE) as answer:
        (person,) = (await answer.json())["participants"]
    assert (person["identity"], person["name"], person["state"]) == ("ann", "Ann", "active")
    assert person["attributes"] == {"mood": "good"}
    assert person["permissions"]["can_publish"] is True
    assert person["tracks"][0]["source"] == "unknown"
    assert person["tracks"][0]["kind"] == "audio"


async def test_profile_and_permissions(api: aiohttp.ClientSession, ann: rtc.Room) -> None:
    change = {"name": "Anna", "attributes": {"mood": ""}, "permissions": {"can_publish": False}}
    async with api.patch(f"{PEOPLE}/ann", json=change) as answer:
        person = await answer.json()
    assert (person["name"], person["attributes"], person["tracks"]) == ("Anna", {}, [])
    assert person["permissions"]["can_publish"] is False
    assert person["permissions"]["can_subscribe"] is True
    await eventually(lambda: ann.local_participant.name == "Anna")


async def test_muting_one_and_all(api: aiohttp.ClientSession, ann: rtc.Room, server: Server) -> None:
    here = server.rooms["kitchen"].participants["ann"]
    await eventually(lambda: here.tracks)
    async with api.post(f"{PEOPLE}/ann/mute", json={"track_sid": "TR_none"}) as answer:
        assert (answer.status, (await answer.json())["error"]["field"]) == (400, "track_sid")
    async with api.post(f"{PEOPLE}/ann/mute", json={"track_sid": here.tracks[0].sid}) as answer:
        assert (await answer.json())["tracks"][0]["muted"] is True
    assert here.tracks[0].muted
    async with api.post(f"{PEOPLE}/ann/mute", json={"muted": False}) as answer:
        assert answer.status == 412  # unless it is configured
    async with api.post(f"{PEOPLE}/ann/mute", json={}) as answer:
        assert [track["muted"] for track in (await answer.json())["tracks"]] == [True]


async def test_data_and_removal(api: aiohttp.ClientSession, ann: rtc.Room) -> None:
    heard: list[tuple[bytes, str | None]] = []
    ann.on("data_received", lambda packet: heard.append((packet.data, packet.topic)))
    gone: list[object] = []
    ann.on("disconnected", gone.append)
    for body in (
        {"text": "dinner", "topic": "bell"},
        {"base64": base64.b64encode(b"\x00\x01").decode(), "to": ["ann"]},
        {"text": "not for ann", "to": ["bob"]},
    ):
        async with api.post("/api/rooms/kitchen/data", json=body) as answer:
            assert answer.status == 204
    await eventually(lambda: len(heard) == 2)
    assert heard[0] == (b"dinner", "bell")
    assert heard[1][0] == b"\x00\x01"
    for body in ({}, {"text": "a", "base64": "YQ=="}, {"base64": "?"}):
        async with api.post("/api/rooms/kitchen/data", json=body) as answer:
            assert answer.status == 400
    async with api.delete(f"{PEOPLE}/ann") as answer:
        assert answer.status == 204
    await eventually(lambda: gone)
    async with api.delete(f"{PEOPLE}/ann") as answer:
        assert answer.status == 404


async def test_an_absent_room_has_nobody(api: aiohttp.ClientSession) -> None:
    async with api.get("/api/rooms/attic/participants") as answer:
        assert answer.status == 404
