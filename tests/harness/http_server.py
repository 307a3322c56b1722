"""Hubbub's HTTP application on a free port of the loopback interface."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from auth.keys import KeyRing
from hubbub.api.app import build_app, runner_for
from hubbub.api.health import health
from hubbub.api.twirp.services import twirp
from rooms.administration import Administration
from rooms.join import JoinRequest
from rooms.service import RoomService
from signaling.app import Door
from signaling.config import SignalingConfig
from signaling.ports import Rooms

SECRET = "devsecretdevsecretdevsecretdevsecret"
KEYS = KeyRing({"devkey": SECRET})


class UntimedRooms:
    """A RoomService whose time only the test moves."""

    def __init__(self, service: RoomService) -> None:
        self._service = service
        self.join = service.join
        self.resume = service.resume

    async def admit(self, request: JoinRequest) -> None:
        self._service.check(request)


@asynccontextmanager
async def serving(
    rooms: Rooms | RoomService,
    config: SignalingConfig | None = None,
    keys: KeyRing = KEYS,
    administration: Administration | None = None,
    **runner_options: float,
) -> AsyncIterator[int]:
    """Serve the signalling routes, health and, if given one, the server API in front of ``rooms``; yields the port."""
    config = config or SignalingConfig()
    if isinstance(rooms, RoomService):
        rooms = UntimedRooms(rooms)
    twirp_routes = [] if administration is None else twirp(administration, keys).routes()
    app = build_app([*Door(rooms, keys, config).routes(), *twirp_routes, web.route("*", "/", health)])
    runner = runner_for(app, config, **runner_options)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.port
    finally:
        await runner.cleanup()
