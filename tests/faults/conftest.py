"""What fault tests of the signalling doors share: a server, and somebody whom the fault must not touch."""

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from livekit.protocol import rtc

from auth.grants import Claims, VideoGrant
from auth.tokens import mint
from signaling.config import SignalingConfig
from tests.harness.http_server import SECRET, serving
from tests.harness.raw_http import UPGRADE, ask, head, read_answer, read_frame
from tests.harness.scripted_rooms import ScriptedRooms


def token(identity: str = "u", room: str = "r", ttl_s: float = 3600) -> str:
    claims = Claims(identity=identity, video=VideoGrant(room_join=True, room=room))
    return mint(claims, "devkey", SECRET, ttl_s=ttl_s, now=time.time())


class Target:
    """The server under attack."""

    def __init__(self, port: int, rooms: ScriptedRooms) -> None:
        self.port = port
        self.rooms = rooms

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare TCP connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def open_signal(self, identity: str = "u") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection upgraded to a WebSocket, its first message read."""
        reader, writer = await self.connect()
        writer.write(head(f"/rtc?access_token={token(identity)}", headers=UPGRADE))
        assert (await read_answer(reader)).status == 101
        opcode, payload = await read_frame(reader)
        assert opcode == 2
        assert rtc.SignalResponse.FromString(payload).HasField("join")
        return reader, writer

    async def session_is_lost(self, index: int = -1) -> None:
        """Wait until the model has been told that the session's connection is gone."""
        async with asyncio.timeout(10):
            while not self.rooms.sessions[index].lost:
                await asyncio.sleep(0.005)


@pytest.fixture
def config() -> SignalingConfig:
    """Small limits, so that tests reach them soon."""
    return SignalingConfig(control_ping_s=0.5, ping_timeout_s=2, send_queue_bytes=256 * 1024)


@pytest.fixture
async def target(config: SignalingConfig) -> AsyncIterator[Target]:
    """A server with a bystander in it, who must be served as ever when the test is over."""
    rooms = ScriptedRooms()
    async with serving(rooms, config, keepalive_timeout=0.5, lingering_time=0.5) as port:
        async with aiohttp.ClientSession() as client:
            url = f"http://127.0.0.1:{port}/rtc?access_token={token('bystander')}"
            async with client.ws_connect(url) as bystander:
                await bystander.receive_bytes()
                answer = asyncio.create_task(bystander.receive_bytes())  # answers control pings meanwhile
                yield Target(port, rooms)
                await bystander.send_bytes(rtc.SignalRequest(ping=1).SerializeToString())
                pong = rtc.SignalResponse.FromString(await asyncio.wait_for(answer, 2))
                assert pong.HasField("pong")
                assert not rooms.sessions[0].lost
        assert (await ask(port, "/")).body == "OK"
