"""History and webhooks over REST."""

import asyncio

import aiohttp
from livekit import rtc

from hubbub import Server, configure
from tests.harness.eventually import eventually
from tests.hubbub.api.rest.conftest import BASIC, OPTIONS


async def test_a_room_is_remembered(api: aiohttp.ClientSession, server: Server) -> None:
    room = server.rooms.create("kitchen")
    ann = rtc.Room()
    await ann.connect(server.url.replace("http", "ws").rstrip("/"), room.token("ann"))
    await ann.disconnect()
    await eventually(lambda: not room.participants)
    room.close()

    async def ended() -> object:
        async with api.get("/api/history/rooms", params={"name": "kitchen"}) as answer:
            rooms = (await answer.json())["rooms"]
            return rooms[0] if rooms and rooms[0]["ended_at"] else None

    past = await eventually(ended)
    assert isinstance(past, dict)
    assert (past["peak"], past["sessions"], past["identities"]) == (1, 1, 1)
    async with api.get(f"/api/history/rooms/{past['sid']}/participants") as answer:
        (stay,) = (await answer.json())["participants"]
    assert (stay["identity"], stay["connected"]) == ("ann", True)
    async with api.get(f"/api/history/rooms/{past['sid']}/tracks") as answer:
        assert (await answer.json())["tracks"] == []
    async with api.get("/api/history/rooms/RM_none") as answer:
        assert answer.status == 404


async def test_dead_letters_are_replayed() -> None:
    options = OPTIONS | {"webhook.urls": ["http://127.0.0.1:9/"], "webhook.retry_for_s": 0.01}
    async with (
        Server(configure(options)) as server,
        aiohttp.ClientSession(server.url, headers=BASIC) as api,
    ):
        server.rooms.create("kitchen")

        async def dead() -> list[dict[str, object]]:
            async with api.get("/api/webhooks/deliveries", params={"state": "dead"}) as answer:
                return list((await answer.json())["deliveries"])

        (letter,) = await eventually(dead)
        assert (letter["event"], letter["room"]) == ("room_started", "kitchen")
        path = f"/api/webhooks/deliveries/{letter['id']}"
        async with api.get(path) as answer:
            assert "room_started" in (await answer.json())["body"]
        async with api.post(f"{path}/replay") as answer:
            assert (answer.status, (await answer.json())["state"]) == (200, "pending")
        await asyncio.sleep(0)
        await eventually(dead)
        async with api.post("/api/webhooks/replay", json={"target": letter["target"]}) as answer:
            assert (await answer.json())["replayed"] == 1
        async with api.post("/api/webhooks/deliveries/1/replay") as answer:
            assert answer.status == 404
