"""Killed at once after its answer, the server still keeps out whom it put out before."""

import asyncio
import json
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp
import pytest
from livekit import api, rtc

from hubbub.testing.server import HubbubServer, Nursery
from tests.harness.clients import SdkClient, joined
from tests.harness.eventually import PATIENCE_S
from tests.harness.server import Server

PEOPLE = ("ann", "ben", "cora", "dora", "eve")


async def by_twirp(server: Server) -> None:
    """Remove Ann."""
    async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as admin:
        await admin.room.remove_participant(api.RoomParticipantIdentity(room="call", identity="ann"))


async def by_rest(server: Server) -> None:
    """Ban Ben."""
    auth = {"Authorization": aiohttp.encode_basic_auth(server.api_key, server.api_secret)}
    async with (
        aiohttp.ClientSession(server.http_url, headers=auth) as http,
        http.post("/api/bans", json={"identity": "ben"}) as answer,
    ):
        assert answer.status == 201


async def by_data_packet(host: SdkClient) -> None:
    """Remove Cora."""
    request = json.dumps({"action": "remove", "identity": "cora", "id": 1})
    await host.me.publish_data(request, topic="hubbub.control")
    await host.hears("data_received", lambda packet: json.loads(packet.data).get("ok") is True)


async def by_json(server: Server) -> None:
    """Remove Dora."""
    token = server.token("call", "other host", attributes={"hubbub.role": "host"})
    async with (
        aiohttp.ClientSession(server.http_url) as http,
        http.ws_connect(f"/ws?token={token}") as socket,
    ):
        await socket.send_json({"type": "join_room"})
        await hears(socket, "room_joined")
        await socket.send_json({"type": "remove", "identity": "dora", "id": 1})
        await hears(socket, "done")


async def hears(socket: aiohttp.ClientWebSocketResponse, kind: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await socket.receive_json())["type"] != kind:
            pass


async def test_who_was_put_out_stays_out(hubbub_nursery: Nursery, tmp_path: Path) -> None:
    options = {"database.path": str(tmp_path / "hubbub.db")}
    process = HubbubServer(hubbub_nursery, tmp_path, options=options)
    await asyncio.to_thread(process.start)
    server = Server(process.url, process.api_key, process.api_secret, is_hubbub=True)
    tokens = {identity: server.token("call", identity) for identity in PEOPLE}
    stack = AsyncExitStack()
    try:
        host = await stack.enter_async_context(
            joined(server, "call", "host", attributes={"hubbub.role": "host"})
        )
        for identity in tokens.keys() - {"eve"}:
            room = rtc.Room()
            stack.push_async_callback(room.disconnect)
            await room.connect(server.url, tokens[identity])
        await asyncio.gather(by_twirp(server), by_rest(server), by_data_packet(host), by_json(server))
    finally:
        process.kill()
        with suppress(Exception):
            await asyncio.wait_for(stack.aclose(), 10)
    with process as again:
        eve = rtc.Room()
        await eve.connect(again.url, tokens.pop("eve"))
        await eve.disconnect()
        for token in tokens.values():
            with pytest.raises(rtc.ConnectError):
                await rtc.Room().connect(again.url, token)
