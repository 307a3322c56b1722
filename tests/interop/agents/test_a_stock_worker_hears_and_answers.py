"""livekit-agents from PyPI, unasked: it joins, hears a participant and answers with audio, for each type of job."""

import pytest
from livekit import api, rtc

from tests.harness.clients import Join
from tests.harness.server import Server
from tests.interop.agents.conftest import StartWorker


@pytest.mark.parametrize("kind", ["room", "publisher", "participant"])
async def test_a_participant_is_answered_an_octave_higher(
    server: Server, start_worker: StartWorker, join: Join, room: str, kind: str
) -> None:
    async with start_worker(kind) as worker, join("alice") as alice:
        await alice.publish_tone(440)
        job = await worker.tells("job", room=room)
        assert job["participant"] == ("" if kind == "room" else "alice")
        identity = f"agent-{job['id']}"
        agent = await alice.sees(identity)
        assert agent.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        assert agent.attributes["lk.agent_name"] == ""
        ear = await alice.audio_of(identity)
        await ear.hears(880)
        if kind != "room":
            async with join("bob") as bob:
                await bob.publish_tone(300)
                other = await worker.tells("job", room=room, participant="bob")
                await (await bob.audio_of(f"agent-{other['id']}")).hears(600)
        assert len(worker.told("job", room=room)) == (1 if kind == "room" else 2)


async def test_an_agent_ends_when_its_room_does(
    server: Server, start_worker: StartWorker, join: Join, room: str
) -> None:
    async with start_worker("room") as worker, join("alice") as alice:
        job = await worker.tells("joined", room=room)
        await alice.sees(job["identity"])
        async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as client:
            await client.room.delete_room(api.DeleteRoomRequest(room=room))
        await worker.tells("ended", id=job["id"])
