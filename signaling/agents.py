"""The door of agent workers: ``/agent``, a WebSocket of WorkerMessages and ServerMessages.

Refusals before the upgrade are LiveKit 1.13.5's (recorded). A worker that breaks a rule is told why when its
connection closes, where LiveKit cuts it off without a word.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import structlog
from aiohttp import web
from livekit.protocol import agent

from auth.grants import VideoGrant
from auth.keys import KeyRing
from rooms.agents.config import AgentsConfig
from rooms.agents.ports import WorkerSink
from rooms.agents.worker_session import WorkerSession
from signaling import access
from signaling.app import PREFIX
from signaling.config import SignalingConfig
from signaling.frames import CloseCode
from signaling.framing import MessageFraming
from signaling.upgrade import Connections, check_asks_for_upgrade, check_handshake
from signaling.websocket import MessageSocket

log = structlog.get_logger(__name__)

Connect = Callable[[WorkerSink, str], WorkerSession]
"""Begins a session for a connection and the API key that it came with."""


class WorkerConnection(MessageSocket[agent.WorkerMessage]):
    """A worker's connection."""

    BAD_FRAME_CODE = CloseCode.INVALID_PAYLOAD

    def __init__(self, config: SignalingConfig, remote: str) -> None:
        super().__init__(config, MessageFraming(agent.WorkerMessage), remote)
        self._session: WorkerSession | None = None

    def begin(self, session: WorkerSession) -> None:
        """Hand messages to this session."""
        self._session = session

    def _handle(self, request: agent.WorkerMessage) -> None:
        session = self._session
        if session is None:
            return
        busy = session.busy
        session.handle(request)
        if session.busy != busy:
            log.debug(
                "worker takes jobs again" if busy else "worker takes no more jobs", id=session.worker_id
            )

    def _lost(self) -> None:
        if self._session is not None:
            self._session.lost()
        if self.close_reason:
            log.info("worker sent away", reason=self.close_reason, remote=self._remote)


class AgentDoor:
    """Handler of the route."""

    def __init__(
        self,
        connect: Connect,
        keys: KeyRing,
        agents: AgentsConfig,
        signaling: SignalingConfig,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connect = connect
        self._keys = keys
        self._clock = clock
        self.connections = Connections()
        self._config = replace(
            signaling,
            max_message_bytes=agents.max_message_bytes,
            send_queue_messages=agents.send_queue_messages,
            send_queue_bytes=agents.send_queue_bytes,
        )

    def routes(self) -> list[web.RouteDef]:
        """Routes for an aiohttp application."""
        return [web.route("*", PREFIX + "agent", self.serve)]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One worker, from its upgrade to its end."""
        check_asks_for_upgrade(request)
        claims = access.authenticate(request.headers, request.query, self._keys, self._clock())
        if not (claims.video or VideoGrant()).agent:
            raise access.no_permission()
        check_handshake(request)
        connection = WorkerConnection(self._config, request.remote or "")
        connection.begin(self._connect(connection, claims.issuer))
        return await self.connections.serve(request, connection)
