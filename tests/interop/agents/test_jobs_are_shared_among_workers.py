"""Two stock workers: the one with room gets the job, a draining one keeps its own, a killed one is replaced."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from livekit import api

from tests.harness.agent_process import FULL, IDLE, TELL_WITHIN_S, AgentProcess
from tests.harness.clients import Join
from tests.harness.eventually import eventually
from tests.harness.server import Server

pytestmark = pytest.mark.timeout(240)  # two workers and their jobs are four processes that import a lot

Pair = tuple[AgentProcess, AgentProcess]


@pytest_asyncio.fixture(loop_scope="session")
async def client(server: Server) -> AsyncIterator[api.LiveKitAPI]:
    async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as client:
        yield client


async def dispatch(client: api.LiveKitAPI, room: str) -> str:
    wish = api.CreateAgentDispatchRequest(agent_name="helper", room=room)
    return (await client.agent_dispatch.create_dispatch(wish)).id


async def test_full_draining_and_killed_workers(
    two_workers: Pair, server: Server, client: api.LiveKitAPI, join: Join, room: str
) -> None:
    first, second = two_workers
    async with join("alice") as alice:
        # The one that is full is passed over; while both are, the job waits.
        await becomes_full(first, server)
        order = await dispatch(client, room)
        job = await second.tells("joined")
        await alice.sees(job["identity"])
        await becomes_full(second, server)
        await dispatch(client, f"{room}-waits")
        first.report(IDLE)
        await first.tells("joined")
        assert (len(first.told("job")), len(second.told("job"))) == (1, 1)

        # The one that drains keeps its job until that ends, and then ends itself.
        second.drain()
        await says(second, "draining worker")
        await dispatch(client, f"{room}-later")
        await first.tells("job", room=f"{room}-later")
        assert alice.other(job["identity"]) is not None
        await client.agent_dispatch.delete_dispatch(order, room)
        await second.ends()
        assert len(second.told("job")) == 1


async def test_a_killed_worker_is_replaced(
    two_workers: Pair, client: api.LiveKitAPI, join: Join, room: str
) -> None:
    async with join("alice") as alice:
        await alice.publish_tone(440)
        await dispatch(client, room)
        await eventually(
            lambda: any(worker.told("joined", room=room) for worker in two_workers),
            "an agent",
            within_s=TELL_WITHIN_S,
        )
        dying, other = sorted(two_workers, key=lambda worker: not worker.told("joined", room=room))
        await alice.sees(dying.told("joined", room=room)[0]["identity"])
        dying.kill()
        again = await other.tells("joined", room=room)
        await other.tells("heard", room=room)
        await (await alice.audio_of(again["identity"])).hears(880)
        lost, running = (await client.agent_dispatch.list_dispatch(room))[-1].state.jobs
        assert (lost.state.status, running.state.status) == (
            api.JobStatus.JS_FAILED,
            api.JobStatus.JS_RUNNING,
        )


async def becomes_full(worker: AgentProcess, server: Server) -> None:
    """Have a worker report that it is full, and wait until the server knows."""
    worker.report(FULL)
    await says(worker, "worker is at full capacity, marking as unavailable")
    if server.is_hubbub:
        await eventually(
            lambda: any(
                "worker takes no more jobs" in line and worker.id in line
                for line in server.log().splitlines()
            ),
            "the server knowing it",
        )


async def says(worker: AgentProcess, message: str) -> None:
    """Wait for a line of the worker's log."""
    await eventually(lambda: any(message in line.get("message", "") for line in worker.lines), message)
