"""Webhooks on a database of their own, told of rooms that need no server."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from livekit.protocol import models

from auth.keys import KeyRing
from hubbub.database import Database
from hubbub.webhooks.config import WebhookConfig
from hubbub.webhooks.queue import SCHEMA
from hubbub.webhooks.service import Webhooks
from rooms.ids import Ids

KEYS = KeyRing({"devkey": "s" * 32, "other": "o" * 32})
QUICK = WebhookConfig(retry_min_s=0.05, retry_max_s=0.2, timeout_s=5.0)
"""Patient enough for a test."""


class Wall:
    """The wall clock, which can be set."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@asynccontextmanager
async def sending(
    *urls: str,
    path: str = ":memory:",
    config: WebhookConfig = QUICK,
    wall: Wall | None = None,
    **options: Any,
) -> AsyncIterator[Webhooks]:
    """Webhooks to these receivers; ``options`` are fields of the configuration."""
    database = Database(path)
    await database.open([SCHEMA])
    config = replace(config, urls=urls, **options)
    webhooks = Webhooks(config, database, KEYS, Ids(secrets.token_bytes), wall or Wall())
    try:
        await webhooks.start()
        yield webhooks
    finally:
        await webhooks.close()
        await database.close()


def room(name: str = "r") -> models.Room:
    return models.Room(sid="RM_" + name, name=name, creation_time=1_700_000_000, empty_timeout=300)


def person(identity: str = "ann") -> models.ParticipantInfo:
    return models.ParticipantInfo(
        sid="PA_" + identity, identity=identity, state=models.ParticipantInfo.ACTIVE
    )


def life(webhooks: Webhooks, name: str = "r", people: int = 1) -> int:
    """A whole life of a room; how many events that makes."""
    observer = webhooks.observer
    observer.room_started(room(name))
    for number in range(people):
        ann, track = person(f"ann-{number}"), models.TrackInfo(sid=f"TR_{number}", type=models.VIDEO)
        observer.participant_joined(room(name), ann)
        observer.track_published(room(name), ann, track)
        observer.track_unpublished(room(name), ann, track)
        observer.participant_left(room(name), ann)
    observer.room_finished(room(name))
    return 2 + 4 * people


LIFE = [
    "room_started",
    "participant_joined",
    "track_published",
    "track_unpublished",
    "participant_left",
    "room_finished",
]
"""Events of a life with one participant."""
