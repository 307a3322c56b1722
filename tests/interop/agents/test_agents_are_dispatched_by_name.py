"""A stock worker with a name gets jobs where it is asked for: by the API, by a token, by the room; and nowhere else."""

from collections.abc import AsyncIterator

import pytest_asyncio
from livekit import api

from tests.harness.agent_process import AgentProcess
from tests.harness.clients import Join, SdkClient
from tests.harness.eventually import eventually
from tests.harness.server import Server
from tests.interop.agents.conftest import StartWorker


@pytest_asyncio.fixture(loop_scope="session")
async def client(server: Server) -> AsyncIterator[api.LiveKitAPI]:
    async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as client:
        yield client


async def test_by_the_api_by_a_token_and_by_the_room(
    server: Server, start_worker: StartWorker, client: api.LiveKitAPI, join: Join, room: str
) -> None:
    async with start_worker("room", "helper") as worker:
        async with join("alice") as alice:
            await by_api(client, worker, alice, room)
        await by_token(server, worker, f"{room}-token")
        wish = api.RoomAgentDispatch(agent_name="helper", metadata="by room")
        await client.room.create_room(api.CreateRoomRequest(name=f"{room}-made", agents=[wish]))
        assert (await worker.tells("job", room=f"{room}-made"))["metadata"] == "by room"
        assert len(worker.told("job")) == 3


async def by_api(client: api.LiveKitAPI, worker: AgentProcess, alice: SdkClient, room: str) -> None:
    """Order an agent, see its job in the list, and cancel the order."""
    wish = api.CreateAgentDispatchRequest(agent_name="helper", room=room, metadata="by api")
    order = await client.agent_dispatch.create_dispatch(wish)
    joined = await worker.tells("joined")
    assert worker.told("job", room=room)[0]["metadata"] == "by api"
    agent = await alice.sees(joined["identity"])
    assert agent.attributes["lk.agent_name"] == "helper"

    async def listed() -> bool:
        found = await client.agent_dispatch.get_dispatch(order.id, room)
        return found is not None and [job.id for job in found.state.jobs] == [joined["id"]]

    await eventually(listed, "the job in the list")
    await client.agent_dispatch.delete_dispatch(order.id, room)
    await worker.tells("ended", id=joined["id"])
    await eventually(lambda: alice.other(joined["identity"]) is None, "the agent gone")


async def by_token(server: Server, worker: AgentProcess, room: str) -> None:
    """Whoever makes the room names its agents."""
    wish = api.RoomAgentDispatch(agent_name="helper", metadata="by token")
    grants = api.VideoGrants(room_join=True, room=room)
    token = api.AccessToken(server.api_key, server.api_secret).with_identity("bob").with_grants(grants)
    token = token.with_room_config(api.RoomConfiguration(agents=[wish]))
    bob = SdkClient()
    await bob.connect(server, token.to_jwt())
    try:
        job = await worker.tells("job", room=room)
        assert job["metadata"] == "by token"
        await bob.sees(f"agent-{job['id']}")
    finally:
        await bob.leave()
