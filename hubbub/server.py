"""The server: every part made and joined to the others, started and stopped.

::

    async with Server(configure({"development": True, "port": 0})) as server:
        print(server.url)

or ``run(config)`` for a process that does nothing else.
"""

import asyncio
import errno
import secrets
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self, cast

import structlog
from aiohttp import web
from livekit.protocol import rtc

from auth import tokens
from auth.errors import UnknownKey
from auth.grants import Claims
from auth.keys import KeyRing
from hubbub import keys as api_keys
from hubbub.api.app import build_app, runner_for
from hubbub.api.metrics import metrics_app
from hubbub.api.rest.service import Rest
from hubbub.api.token_endpoint import TokenEndpoint
from hubbub.api.twirp.services import twirp
from hubbub.banner import banner
from hubbub.bans import store as bans
from hubbub.bans.keeper import StoredBans
from hubbub.config import Config
from hubbub.database import Database, database_path
from hubbub.embedded import Event, Events, Rooms
from hubbub.embedded.entrance import Entrance
from hubbub.errors import StartError
from hubbub.history import store as history
from hubbub.history.service import History
from hubbub.hooks import HookRunner, Hooks, load_hooks
from hubbub.keys import KeyTable, KeyWatch
from hubbub.metrics import CONTENT_TYPE, Metrics, Sources
from hubbub.room_clock import SystemClock, TimedRooms
from hubbub.web.pages import Pages
from hubbub.web.tokens import DevTokens
from hubbub.webhooks import queue as webhooks
from hubbub.webhooks.service import Webhooks
from rooms.administration import Administration
from rooms.agents.ports import WorkerSink
from rooms.agents.service import AgentService
from rooms.agents.worker_session import WorkerSession
from rooms.context import ServerIdentity
from rooms.ids import Ids
from rooms.observers import Observers
from rooms.ports import RoomObserver
from rooms.service import RoomService
from sfu import gc_policy
from sfu.errors import MediaStartError
from sfu.pool import LocalPool
from signaling.agents import AgentDoor
from signaling.app import Door
from signaling.jsonws.door import JsonDoor

log = structlog.get_logger(__name__)

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - what an empty bind_addresses means
BACKLOG = 1024
"""Connections waiting to be accepted; everybody comes back at once after a restart."""


class Server:
    """One Hubbub in the running event loop, with its rooms as Python objects (``hubbub.embedded``)."""

    def __init__(self, config: Config, *, hooks: Hooks | None = None) -> None:
        """``hooks`` are asked before people join, publish and send data; else those that the configuration names.

        Raises StartError when those can't be loaded.
        """
        self.config = config
        if hooks is None:
            hooks = load_hooks(config.hooks) if config.hooks else Hooks()
        self._hooks = HookRunner(hooks, config.hook_timeout_s)
        clock = SystemClock()
        path = database_path(config.database, config.data_directory, development=config.development)
        self.database = Database(path, durable=config.database.durable)
        self._key_watch = KeyWatch(
            config.keys,
            KeyTable(self.database),
            key_file=config.key_file,
            interval_s=config.key_reload_s,
            find_secret=self._hooks.find_secret,
        )
        self._pool = LocalPool(config.media, self._on_media_event)
        ids = Ids(secrets.token_bytes)
        self.webhooks = Webhooks(config.webhooks, self.database, config.keys, ids, clock.wall)
        self.history = History(config.history, self.database, clock.wall)
        self._events = Events()
        minter = Minter(config.keys)
        observers = Observers([self._events, self.webhooks.observer], _observer_failed)
        if config.history.enabled:
            observers.add(self.history.observer)
        self._identity = ServerIdentity(
            node_id=ids.make("ND_"),
            region=config.signaling.region,
            ping_interval_s=config.signaling.ping_interval_s,
            ping_timeout_s=config.signaling.ping_timeout_s,
        )
        self._stored_bans = StoredBans(self.database, clock.wall)
        service = RoomService(
            config.rooms,
            self._pool,
            minter,
            clock,
            ids,
            observer=observers,
            gate=self._hooks,
            ban_keeper=self._stored_bans,
            ice_servers=StunServers(config.media.stun_servers),
            server=self._identity,
        )
        sources = Sources(self._pool.snapshot, service.rooms, lambda: self.webhooks.counters)
        self._metrics = Metrics(sources, self._identity.node_id)
        self.agents = AgentService(config.agents, service, minter, clock, ids)
        """Workers, dispatches and jobs."""
        observers.add(self.agents)
        self._rooms = TimedRooms(service, clock, self._hooks.join)
        self.administration = Administration(service)
        """What can be done with rooms and the people in them."""
        self.rooms = Rooms(self.administration, config.keys, Entrance(self._rooms, self._pool))
        """The rooms as Python objects."""
        self._parts = AsyncExitStack()
        """What was started, each with what stops it."""
        self.port = config.port
        """The HTTP port; the real one once started, where the configuration says 0."""
        self.udp_port = config.media.udp_port
        """The media port; the real one once started."""

    async def start(self) -> None:
        """Open every port. Raises StartError, and leaves nothing open then."""
        async with AsyncExitStack() as parts:
            await self._start(parts)
            self._parts = parts.pop_all()
        ports = {"udp_port": self.udp_port, "tcp_port": self.config.media.tcp_port}
        if self.config.metrics.port:
            ports["metrics_port"] = self.config.metrics.port
        log.info("started", url=self.url, **ports)

    async def _start(self, parts: AsyncExitStack) -> None:
        """Start each part, after saying what stops it, even half started; they are stopped the other way round."""
        parts.push_async_callback(self.database.close)
        await self.database.open([api_keys.SCHEMA, webhooks.SCHEMA, history.SCHEMA, bans.SCHEMA])
        parts.push_async_callback(self._key_watch.stop)
        await self._key_watch.start()
        await self._stored_bans.restore(self.administration.bans)
        parts.push_async_callback(self.webhooks.close)
        await self.webhooks.start()
        parts.push_async_callback(self.history.close)
        await self.history.start()
        parts.push_async_callback(self._pool.close)
        await self._start_media()
        runner = runner_for(self._app(), self.config.signaling)
        # Waits for the connections, which close once their last messages are written.
        parts.push_async_callback(runner.cleanup)
        parts.push_async_callback(self._take_leave)
        await runner.setup()
        self.port = await self._listen(runner, self.port)
        if self.config.metrics.port:
            await self._serve_metrics(parts)

    async def _serve_metrics(self, parts: AsyncExitStack) -> None:
        app = metrics_app(self.config.metrics, self._metrics.text, CONTENT_TYPE)
        runner = runner_for(app, self.config.signaling)
        parts.push_async_callback(runner.cleanup)
        await runner.setup()
        await self._listen(runner, self.config.metrics.port, "prometheus.port in the configuration")

    async def _start_media(self) -> None:
        try:
            await self._pool.start()
        except MediaStartError as error:
            raise StartError(str(error)) from error
        self.udp_port = self._pool.udp_port

    async def stop(self) -> None:
        """Tell everybody that the server goes, and close what is open."""
        await self._parts.aclose()

    async def _take_leave(self) -> None:
        self.agents.shutdown()
        self._rooms.shutdown()
        self._events.close()
        await self._hooks.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def events(self) -> AsyncIterator[Event]:
        """What happens in the rooms from now on, until the server stops."""
        return self._events.listen()

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the page."""
        hosts = self.config.bind_addresses or EVERYWHERE
        host = "localhost" if hosts[0] in EVERYWHERE else hosts[0]
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def _app(self) -> web.Application:
        config = self.config
        pages = Pages()
        if not pages.built:
            log.warning("the page is not built: run `python -m hubbub.web.build`")
        door = Door(self._rooms, config.keys, config.signaling)
        agent_door = AgentDoor(self._worker, config.keys, config.agents, config.signaling)
        json_door = JsonDoor(self._rooms, config.keys, config.signaling, find_key=self._key_watch.find_key)
        routes = [
            *door.routes(),
            *json_door.routes(),
            *agent_door.routes(),
            *twirp(self.administration, config.keys, self.agents, config.rooms.role).routes(),
            *Rest(self.administration, config.keys, config.rooms, self.history, self.webhooks).routes(),
            *TokenEndpoint(config.token_endpoint, config.rooms, config.keys).routes(),
            *DevTokens(config.keys, enabled=config.development).routes(),
            *pages.routes(),
        ]
        app = build_app(
            routes,
            max_body_bytes=config.max_request_body_bytes,
            middlewares=[self._key_watch.ask],
            cors_origins=config.cors_origins,
        )
        app.on_shutdown.extend(
            (door.connections.shutdown, json_door.connections.shutdown, agent_door.connections.shutdown)
        )
        return app

    async def _listen(self, runner: web.AppRunner, port: int, option: str = "--port") -> int:
        """Open a port on all addresses, any free one for 0; returns which. ``option`` is where to choose another."""
        hosts = self.config.bind_addresses or EVERYWHERE
        for host in hosts:
            site = web.TCPSite(runner, host, port, backlog=BACKLOG)
            try:
                await site.start()
            except OSError as error:
                if hosts is EVERYWHERE and host == "::" and not _has_ipv6(error):
                    continue
                raise StartError(_cannot_listen(host, port, option, error)) from error
            port = site.port
        return port

    def _worker(self, sink: WorkerSink, issuer: str) -> WorkerSession:
        return WorkerSession(self.agents, sink, issuer, self._identity)

    def _on_media_event(self, event: Any) -> None:
        self._rooms.on_media_event(event)


def _observer_failed(observer: RoomObserver, error: Exception) -> None:
    log.error("an observer of rooms failed", observer=type(observer).__name__, exc_info=error)


class Minter:
    """Tokens that clients come back with (``rooms.ports.TokenMinter``)."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def refresh(self, claims: Claims) -> str:
        """A token with the same claims that lasts at least as long; empty if the API key was withdrawn."""
        try:
            return tokens.refresh(claims, self._keys, time.time())
        except UnknownKey:
            return ""


class StunServers:
    """The configured STUN servers, for everybody alike (``rooms.ports.IceServers``)."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = [rtc.ICEServer(urls=[f"stun:{server}" for server in servers])] if servers else []

    def for_participant(self, claims: Claims, participant_sid: str) -> Sequence[rtc.ICEServer]:  # noqa: ARG002
        """What JoinResponse says."""
        return self._servers


def run(config: Config, *, on_ready: Callable[[Server], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM, then tell everybody and stop; a second one ends the process at once.

    ``on_ready`` is called once every port is open.
    """
    _runner()(_serve(config, on_ready or _show_banner))


def _show_banner(server: Server) -> None:
    sys.stdout.write(banner(server.config, server.url, server.udp_port))
    sys.stdout.flush()


async def _serve(config: Config, on_ready: Callable[[Server], None]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(received: signal.Signals) -> None:
        log.info("stopping", signal=received.name)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    async with Server(config) as server:
        gc_policy.settle()
        on_ready(server)
        await stopping.wait()
    log.info("stopped")


def _runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    """uvloop's ``run`` where it is installed, else asyncio's."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return cast("Callable[[Coroutine[Any, Any, None]], None]", uvloop.run)


def _cannot_listen(host: str, port: int, option: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use by another program; choose another with {option}"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} is only for root; choose one above 1023 with {option}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine; see --bind"
    return f"can't listen on port {port} of {host}: {error.strerror or error}"


def _has_ipv6(error: OSError) -> bool:
    return socket.has_ipv6 and error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
