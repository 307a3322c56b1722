"""Workers that lie, flood or vanish, against the whole server: honest ones get the jobs, and a call goes on."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from livekit import api
from livekit.protocol import agent

from tests.faults.bystander import Media
from tests.harness.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

Socket = aiohttp.ClientWebSocketResponse


@asynccontextmanager
async def worker(server: Server, name: str) -> AsyncIterator[Socket]:
    token = (
        api.AccessToken(server.api_key, server.api_secret).with_grants(api.VideoGrants(agent=True)).to_jwt()
    )
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(f"{server.http_url}/agent", headers=headers) as socket,
    ):
        await say(socket, register=agent.RegisterWorkerRequest(agent_name=name))
        assert (await hear(socket)).WhichOneof("message") == "register"
        yield socket


async def say(socket: Socket, **message: object) -> None:
    await socket.send_bytes(agent.WorkerMessage(**message).SerializeToString())  # type: ignore[arg-type]


async def hear(socket: Socket) -> agent.ServerMessage:
    return agent.ServerMessage.FromString(await socket.receive_bytes(timeout=15))


async def reason(socket: Socket) -> str:
    """Why the server closed the connection."""
    while (message := await socket.receive(timeout=10)).type is not aiohttp.WSMsgType.CLOSE:
        assert message.type is aiohttp.WSMsgType.BINARY, message
    return message.extra or ""


async def dispatch(server: Server, name: str) -> None:
    async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as client:
        wish = api.CreateAgentDispatchRequest(agent_name=name, room=f"room-{secrets.token_hex(4)}")
        await client.agent_dispatch.create_dispatch(wish)


async def takes_a_job(server: Server, socket: Socket, name: str) -> None:
    """An honest worker is asked, accepts and is assigned."""
    await dispatch(server, name)
    job = (await hear(socket)).availability.job
    await say(socket, availability=agent.AvailabilityResponse(job_id=job.id, available=True))
    assert (await hear(socket)).assignment.job.id == job.id


async def test_lying_workers_are_sent_away_and_honest_ones_work_on(media: Media, server: Server) -> None:
    name = f"bot-{secrets.token_hex(4)}"
    async with worker(server, "other-" + name) as liar, worker(server, name) as honest:
        for load in (float("nan"), float("inf"), -1e30):
            await say(liar, update_worker=agent.UpdateWorkerStatus(load=load))
        for number in range(150):
            update = agent.UpdateJobStatus(job_id=f"AJ_{number}", status=agent.JS_FAILED)
            await say(liar, update_job=update)
        assert await reason(liar) == "answers for jobs that are not its own"
        await takes_a_job(server, honest, name)
    await media.goes_on()


async def test_flooding_workers_are_sent_away(media: Media, server: Server) -> None:
    name = f"bot-{secrets.token_hex(4)}"
    async with worker(server, name) as honest, worker(server, "other-" + name) as flood:
        migrate = agent.MigrateJobRequest(job_ids=["AJ_x"] * 10_000)

        async def pour() -> None:
            for _ in range(3000):
                await say(flood, migrate_job=migrate)

        pouring = asyncio.create_task(pour())
        assert await reason(flood) == "too many messages"
        await asyncio.gather(pouring, return_exceptions=True)
        await takes_a_job(server, honest, name)
    await media.goes_on()


async def test_a_worker_that_is_cut_off_while_asked_hands_the_job_on(server: Server) -> None:
    name = f"bot-{secrets.token_hex(4)}"
    async with worker(server, name) as first:
        await dispatch(server, name)
        job = (await hear(first)).availability.job
        async with worker(server, name) as second:
            assert first._response.connection is not None
            first._response.connection.transport.abort()
            assert (await hear(second)).availability.job.id == job.id
