"""What fault tests of the signalling doors share: a server, and somebody whom the fault must not touch."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from livekit.protocol import rtc

from auth.grants import Claims, VideoGrant
from auth.tokens import mint
from signaling.config import SignalingConfig
from tests.faults.bystander import Media, bystander
from tests.harness.attacker import Attacker, join_attacker
from tests.harness.eventually import PATIENCE_S
from tests.harness.http_server import SECRET, serving
from tests.harness.raw_http import UPGRADE, ask, head, read_answer, read_frame
from tests.harness.scripted_rooms import ScriptedRooms
from tests.harness.server import Server


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
                pong = rtc.SignalResponse.FromString(await asyncio.wait_for(answer, PATIENCE_S))
                assert pong.HasField("pong")
                assert not rooms.sessions[0].lost
        assert (await ask(port, "/")).body == "OK"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bystanders(server_process: Server) -> AsyncIterator[Media]:
    """Two people in a room of their own, there for all tests of a file that attack the whole server."""
    async with bystander(server_process, f"bystanders-{secrets.token_hex(3)}") as media:
        yield media


@pytest_asyncio.fixture(loop_scope="module")
async def media(bystanders: Media, server: Server) -> AsyncIterator[Media]:
    """The bystanders' media, which must go on during and after the test, on a server that stays small and calm."""
    bystanders.begin()  # a silence in one test is no failure of the next
    await bystanders.goes_on(packets=1)
    yield bystanders
    await bystanders.goes_on()
    bystanders.stays_small()


@pytest_asyncio.fixture(loop_scope="module")
async def mallory(media: Media, room: str) -> AsyncIterator[Attacker]:
    """An attacker with microphone and camera, in a room with a witness who has both too: each receives the other."""
    witness = await media.stage.join(room, "witness")
    attacker = await join_attacker(media.stage, room, witness=witness)
    yield attacker
    assert not witness.failure, f"the witness: {witness.failure}"
    for client in (attacker.client, witness):
        if client in media.stage.clients:
            await media.stage.leave(client)
