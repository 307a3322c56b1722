"""Killed between event and delivery, the server delivers after its next start."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from livekit import api

from hubbub.testing.server import HubbubServer, Nursery
from tests.harness.clients import joined
from tests.harness.eventually import eventually
from tests.harness.server import Server
from tests.harness.webhook_receiver import Receiver

COMMITTED_S = 0.1
"""An event is on disk long before."""
TOLD = ["room_started", "participant_joined", "track_published"]


async def live_and_kill(process: HubbubServer, room: str) -> None:
    """A server is killed in the middle of a call."""
    await asyncio.to_thread(process.start)
    server = Server(process.url, process.api_key, process.api_secret, is_hubbub=True)
    stack = AsyncExitStack()
    try:
        alice = await stack.enter_async_context(joined(server, room, "alice"))
        await alice.publish_tone(440)
        await asyncio.sleep(COMMITTED_S)
    finally:
        process.kill()
        with suppress(Exception):
            await asyncio.wait_for(stack.aclose(), 10)


async def test_events_survive_a_kill(
    hubbub_nursery: Nursery, tmp_path: Path, receiver: Receiver, options: dict[str, object]
) -> None:
    receiver.go.clear()
    process = HubbubServer(hubbub_nursery, tmp_path, options=options)
    for number in range(2):
        await live_and_kill(process, f"call-{number}")
    assert receiver.received == []
    receiver.go.set()
    with process as server:
        await eventually(lambda: all("track_published" in receiver.names(f"call-{n}") for n in range(2)))
        for number in range(2):
            heard = receiver.names(f"call-{number}")
            # What was being sent when the server died may come twice, with the same id.
            assert list(dict.fromkeys(heard)) == TOLD
            ids = {item.event["id"] for item in receiver.accepted(f"call-{number}")}
            assert len(ids) == 3
        verifier = api.WebhookReceiver(api.TokenVerifier(server.api_key, server.api_secret))
        assert all(verifier.receive(item.body, item.authorization) for item in receiver.received)
