"""Hubbub's HTTP application on a free port of the loopback interface."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from auth.keys import KeyRing
from hubbub.api.app import build_app, runner_for
from hubbub.api.health import health
from signaling.app import Door
from signaling.config import SignalingConfig
from signaling.ports import Rooms

SECRET = "devsecretdevsecretdevsecretdevsecret"
KEYS = KeyRing({"devkey": SECRET})


@asynccontextmanager
async def serving(
    rooms: Rooms, config: SignalingConfig | None = None, keys: KeyRing = KEYS, **runner_options: float
) -> AsyncIterator[int]:
    """Serve the signalling routes and health in front of ``rooms``; yields the port."""
    config = config or SignalingConfig()
    app = build_app([*Door(rooms, keys, config).routes(), web.route("*", "/", health)])
    runner = runner_for(app, config, **runner_options)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.port
    finally:
        await runner.cleanup()
