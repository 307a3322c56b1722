"""Killed between event and delivery, the server delivers after its next start."""

import asyncio
import sqlite3
from contextlib import AsyncExitStack, closing, suppress
from pathlib import Path

from livekit import api

from hubbub.testing.server import HubbubServer, Nursery
from tests.harness.clients import joined
from tests.harness.eventually import eventually
from tests.harness.server import Server
from tests.harness.webhook_receiver import Receiver

TOLD = ["room_started", "participant_joined", "track_published"]


def written(path: Path, room: str) -> list[str]:
    """The events about a room that are on disk, in order."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT event FROM webhook_events WHERE room = ? ORDER BY created_at", (room,)
        )
        return [event for (event,) in rows]


async def live_and_kill(process: HubbubServer, database: Path, room: str) -> None:
    """A server is killed in the middle of a call, once it has written down what happened."""
    await asyncio.to_thread(process.start)
    server = Server(process.url, process.api_key, process.api_secret, is_hubbub=True)
    stack = AsyncExitStack()
    try:
        alice = await stack.enter_async_context(joined(server, room, "alice"))
        await alice.publish_tone(440)
        await eventually(lambda: "track_published" in written(database, room), "the events on disk")
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
        await live_and_kill(process, tmp_path / "hubbub.db", f"call-{number}")
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
