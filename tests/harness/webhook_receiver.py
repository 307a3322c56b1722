"""A server that receives webhooks, and misbehaves as told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Received:
    """One request."""

    body: str
    authorization: str
    headers: dict[str, str]
    status: int
    """What it was answered."""

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    @property
    def name(self) -> str:
        return str(self.event["event"])


Behaviour = Callable[[Any, int], int]
"""The status that an event is answered with; the number counts the requests with its id, from 1."""


@dataclass
class Receiver:
    """What came, and what is answered. ``hang`` keeps every answer back while it is not set."""

    behaviour: Behaviour = lambda event, attempt: 200
    received: list[Received] = field(default_factory=list)
    port: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    """Requests that are kept waiting now."""
    most_waiting: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every answer."""

    def __post_init__(self) -> None:
        self.go.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def names(self, room: str | None = None) -> list[str]:
        """Names of the events that were accepted, in order."""
        return [item.name for item in self.accepted(room)]

    def accepted(self, room: str | None = None) -> list[Received]:
        return [
            item
            for item in self.received
            if item.status == 200 and (room is None or item.event["room"]["name"] == room)
        ]

    async def take(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            await self.go.wait()
        finally:
            self.waiting -= 1
        event = json.loads(body)
        attempt = 1 + sum(item.event["id"] == event["id"] for item in self.received)
        status = self.behaviour(event, attempt)
        headers = dict(request.headers)
        self.received.append(Received(body, headers.get("Authorization", ""), headers, status))
        return web.Response(status=status, headers=self.headers)


@asynccontextmanager
async def receiving(behaviour: Behaviour | None = None, port: int = 0) -> AsyncIterator[Receiver]:
    """A receiver on the loopback."""
    receiver = Receiver(behaviour) if behaviour else Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    receiver.port = site.port
    try:
        yield receiver
    finally:
        receiver.go.set()
        await runner.cleanup()
