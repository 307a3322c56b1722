"""The door of agent workers, over real sockets."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from livekit.protocol import agent

from auth.grants import Claims, VideoGrant
from auth.tokens import mint
from rooms.agents.config import AgentsConfig
from tests.harness.agents import AgentHouse
from tests.harness.eventually import PATIENCE_S
from tests.harness.http_server import SECRET, serving

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
REGISTER = agent.WorkerMessage(register=agent.RegisterWorkerRequest(agent_name="bot"))


def bearer(**grants: Any) -> dict[str, str]:
    token = mint(Claims(identity="w", video=VideoGrant(**grants)), "devkey", SECRET, now=time.time())
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def worker(house: AgentHouse, path: str = "/agent") -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with serving(house.service, agents=house.agents) as port, aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{port}{path}"
        async with client.ws_connect(url, headers=bearer(agent=True)) as socket:
            yield socket


async def received(socket: aiohttp.ClientWebSocketResponse) -> agent.ServerMessage:
    return agent.ServerMessage.FromString(await socket.receive_bytes(timeout=5))


async def closed(socket: aiohttp.ClientWebSocketResponse) -> tuple[int | None, str]:
    """Wait for the server's close; its code and its reason."""
    while True:
        message = await socket.receive(timeout=5)
        if message.type is aiohttp.WSMsgType.CLOSE:
            return message.data, message.extra or ""
        assert message.type is aiohttp.WSMsgType.BINARY, message


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ({}, 404, ""),
        (bearer(agent=True), 404, ""),
        (UPGRADE, 401, "no permissions to access the room"),
        (UPGRADE | bearer(room_join=True, room="x"), 401, "no permissions to access the room"),
        (UPGRADE | {"Authorization": "Bearer xx"}, 401, "invalid authorization token"),
        (
            UPGRADE | {"Authorization": "xx"},
            401,
            "invalid authorization header. Must start with Bearer ",
        ),
        (UPGRADE | bearer(agent=True) | {"Sec-WebSocket-Version": "12"}, 400, None),
    ],
)
async def test_who_is_no_worker_gets_no_further(
    headers: dict[str, str], status: int, text: str | None
) -> None:
    """Statuses and texts as recorded from LiveKit 1.13.5."""
    house = AgentHouse()
    async with (
        serving(house.service, agents=house.agents) as port,
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{port}/agent", headers=headers) as answer,
    ):
        assert answer.status == status
        assert text is None or await answer.text() == text


@pytest.mark.parametrize("path", ["/agent", "//agent", "/some/prefix/agent?protocol=1"])
async def test_a_worker_registers_and_gets_a_job(path: str) -> None:
    house = AgentHouse()
    async with worker(house, path) as socket:
        await socket.send_bytes(REGISTER.SerializeToString())
        assert (await received(socket)).register.worker_id.startswith("AW_")
        house.dispatch()
        job = (await received(socket)).availability.job
        answer = agent.AvailabilityResponse(job_id=job.id, available=True)
        await socket.send_bytes(agent.WorkerMessage(availability=answer).SerializeToString())
        assert (await received(socket)).assignment.job.id == job.id


async def test_text_frames_are_answered_as_text() -> None:
    async with worker(AgentHouse()) as socket:
        await socket.send_str('{"register": {"type": "JT_ROOM", "agentName": "bot"}}')
        answer = json.loads(await socket.receive_str(timeout=5))
        assert answer["register"]["serverInfo"]["agentProtocol"] == 1
        await socket.send_bytes(agent.WorkerMessage(ping=agent.WorkerPing(timestamp=5)).SerializeToString())
        assert (await received(socket)).pong.last_timestamp == 5


@pytest.mark.parametrize(
    ("frames", "code", "reason"),
    [
        ([b"\xff\xff"], 1007, "not a WorkerMessage"),
        (['{"register": 5}'], 1007, "not a WorkerMessage in protojson"),
        ([b""], 1008, "unknown message"),
        ([REGISTER.SerializeToString()] * 2, 1008, "already registered"),
    ],
)
async def test_a_worker_is_told_why_it_is_sent_away(
    frames: list[bytes | str], code: int, reason: str
) -> None:
    house = AgentHouse()
    async with worker(house) as socket:
        for frame in frames:
            await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))
        assert await closed(socket) == (code, reason)
    assert len(house.agents.context.workers) == 0


async def test_an_overlong_message_ends_the_connection() -> None:
    house = AgentHouse(AgentsConfig(max_message_bytes=1000))
    async with worker(house) as socket:
        await socket.send_bytes(bytes(2000))
        assert (await closed(socket))[0] == 1009


async def test_a_worker_that_is_gone_is_noticed() -> None:
    house = AgentHouse()
    async with worker(house) as socket:
        await socket.send_bytes(REGISTER.SerializeToString())
        await received(socket)
        assert len(house.agents.context.workers) == 1
        await socket.close()
        async with asyncio.timeout(PATIENCE_S):
            while len(house.agents.context.workers):
                await asyncio.sleep(0.01)


async def test_workers_are_told_that_the_server_stops() -> None:
    house = AgentHouse()
    async with worker(house) as socket:
        await socket.send_bytes(REGISTER.SerializeToString())
        await received(socket)
        house.agents.shutdown()
        assert await closed(socket) == (1001, "the server is stopping")
