"""How many webhooks a second reach the disk: events accepted, rendered, written and committed, nothing sent.

::

    python -m tests.bench.webhooks [directory]
"""

import asyncio
import secrets
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from livekit.protocol import models

from auth.keys import KeyRing
from hubbub.database import Database
from hubbub.webhooks.config import WebhookConfig
from hubbub.webhooks.queue import SCHEMA
from hubbub.webhooks.service import Webhooks
from rooms.ids import Ids

NOBODY = "http://127.0.0.1:9/"
"""Nothing listens there, so that sending costs next to nothing: one try, and a long wait."""


@dataclass(frozen=True)
class WebhookCosts:
    """What a run found."""

    events: int
    per_s: float
    """Events that were on disk, by the time from the first to the last commit."""
    accept_us: float
    """What the event loop spends on each before it goes on."""
    longest_stall_ms: float
    """The longest that the event loop did not turn, beside handing the events over."""
    commits: int


async def webhooks_to_disk(directory: Path, events: int = 20_000, at_a_time: int = 100) -> WebhookCosts:
    """Emit events of people who join 50 rooms, a burst in each turn of the loop, until all are on disk."""
    database = Database(str(directory / "bench.db"))
    await database.open([SCHEMA])
    config = WebhookConfig(urls=(NOBODY,), retry_min_s=3600.0, retry_max_s=3600.0)
    webhooks = Webhooks(config, database, KeyRing({"k": "s" * 32}), Ids(secrets.token_bytes), time.time)
    await webhooks.start()
    rooms = [models.Room(sid=f"RM_{number}", name=f"room-{number}", creation_time=1) for number in range(50)]
    ann = models.ParticipantInfo(sid="PA_1", identity="ann", state=models.ParticipantInfo.ACTIVE, joined_at=1)
    commits, started_at, spent_s, stall_s = database.commits, time.perf_counter(), 0.0, 0.0
    for number in range(0, events, at_a_time):
        before = time.perf_counter()
        for offset in range(at_a_time):
            webhooks.observer.participant_joined(rooms[(number + offset) % 50], ann)
        handed_over = time.perf_counter()
        spent_s += handed_over - before
        await asyncio.sleep(0)
        stall_s = max(stall_s, time.perf_counter() - handed_over)
        while not webhooks.has_place:
            await asyncio.sleep(0.001)
    await webhooks.written()
    elapsed_s = time.perf_counter() - started_at
    result = WebhookCosts(
        events, events / elapsed_s, spent_s / events * 1e6, stall_s * 1e3, database.commits - commits
    )
    await webhooks.close()
    await database.close()
    return result


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as made:
        print(asyncio.run(webhooks_to_disk(Path(made))))
