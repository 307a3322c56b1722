"""Hubbub's HTTP application on a free port of the loopback interface."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from auth.keys import KeyRing
from hubbub.api.app import build_app, runner_for
from hubbub.api.health import health
from hubbub.api.twirp.services import twirp
from rooms.administration import Administration
from rooms.agents.service import AgentService
from rooms.agents.worker_session import WorkerSession
from rooms.context import ServerIdentity
from rooms.join import JoinRequest
from rooms.roles import predefined
from rooms.service import RoomService
from signaling.agents import AgentDoor
from signaling.app import Door
from signaling.config import SignalingConfig
from signaling.ports import Rooms
from tests.harness.listening import listening

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
    agents: AgentService | None = None,
    **runner_options: float,
) -> AsyncIterator[int]:
    """Serve the signalling routes and health in front of ``rooms``; yields the port.

    With ``agents``, workers are served too, and with both ``administration`` and ``agents`` the server API.
    """
    config = config or SignalingConfig()
    if isinstance(rooms, RoomService):
        rooms = UntimedRooms(rooms)
    door = Door(rooms, keys, config)
    closing = [door.connections.shutdown]
    routes = [*door.routes(), web.route("*", "/", health)]
    if agents is not None:
        server = ServerIdentity(node_id="ND_test")
        connect = partial(WorkerSession, agents, server=server)
        agent_door = AgentDoor(connect, keys, agents.config, config)
        closing.append(agent_door.connections.shutdown)
        routes += agent_door.routes()
    if administration is not None and agents is not None:
        routes += twirp(administration, keys, agents, predefined).routes()
    app = build_app(routes)
    app.on_shutdown.extend(closing)
    async with listening(runner_for(app, config, **runner_options)) as port:
        yield port
