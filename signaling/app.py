"""The door of clients: ``/rtc`` and ``/rtc/v1`` with their ``validate`` twins.

Whatever can be refused is refused before the upgrade, as an HTTP error that the SDKs understand; the errors
raised here become answers in ``hubbub.api.errors``. A path prefix, doubled slashes included, is tolerated:
SDKs append ``/rtc…`` to whatever URL they are given.
"""

import time
from collections.abc import Callable

from aiohttp import web
from livekit.protocol import rtc

from auth.keys import KeyRing
from rooms.join import JoinRequest
from signaling import access, client_info, join_request
from signaling.config import SignalingConfig
from signaling.errors import BadRequest
from signaling.framing import Framing, SharedFrames
from signaling.ports import Rooms, Session
from signaling.upgrade import Connections, check_asks_for_upgrade, check_handshake
from signaling.websocket import MessageSocket

PREFIX = "/{prefix:(?:.*/)?}"


class Connection(MessageSocket[rtc.SignalRequest]):
    """A client's connection. Losing it is not leaving: the session hears ``signal_lost`` and decides."""

    def __init__(self, config: SignalingConfig, shared: SharedFrames, remote: str) -> None:
        super().__init__(config, Framing(shared), remote)
        self._session: Session | None = None

    def begin(self, session: Session | None) -> None:
        """Hand requests to this session; without one, close once the queue is written."""
        self._session = session
        if session is None:
            self.close()

    def _handle(self, request: rtc.SignalRequest) -> None:
        """Answer pings here, at once; leave everything else to the session."""
        kind = request.WhichOneof("message")
        if kind == "ping":
            self.send(rtc.SignalResponse(pong=_now_ms()))
        elif kind == "ping_req":
            pong = rtc.Pong(last_ping_timestamp=request.ping_req.timestamp, timestamp=_now_ms())
            self.send(rtc.SignalResponse(pong_resp=pong))
        elif kind is not None and self._session is not None:
            self._session.handle(request)

    def _lost(self) -> None:
        if self._session is not None:
            self._session.signal_lost(self)


class Door:
    """Handlers of the four signalling routes."""

    def __init__(
        self, rooms: Rooms, keys: KeyRing, config: SignalingConfig, clock: Callable[[], float] = time.time
    ) -> None:
        self._rooms = rooms
        self._keys = keys
        self._config = config
        self._clock = clock
        self.connections = Connections()
        self._frames = SharedFrames()

    def routes(self) -> list[web.RouteDef]:
        """Routes for an aiohttp application."""
        return [
            web.route("*", PREFIX + "rtc", self.connect),
            web.route("*", PREFIX + "rtc/v1", self.connect_v1),
            web.route("*", PREFIX + "rtc/validate", self.validate),
            web.route("*", PREFIX + "rtc/v1/validate", self.validate_v1),
        ]

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """``/rtc``: two peer connections, unless a ``join_request`` asks for one."""
        return await self._connect(request, v1=False)

    async def connect_v1(self, request: web.Request) -> web.StreamResponse:
        """``/rtc/v1``: one peer connection."""
        return await self._connect(request, v1=True)

    async def validate(self, request: web.Request) -> web.Response:
        """``/rtc/validate``: the checks of ``/rtc`` without a session."""
        return await self._validate(request, v1=False)

    async def validate_v1(self, request: web.Request) -> web.Response:
        """``/rtc/v1/validate``: the checks of ``/rtc/v1`` without a session."""
        return await self._validate(request, v1=True)

    async def _validate(self, request: web.Request, *, v1: bool) -> web.Response:
        wanted = self._read(request, v1=v1, strict=True)
        await self._rooms.admit(wanted)
        return web.Response(text="success")

    async def _connect(self, request: web.Request, *, v1: bool) -> web.StreamResponse:
        check_asks_for_upgrade(request)
        wanted = self._read(request, v1=v1, strict=False)
        check_handshake(request)
        if not wanted.reconnect:
            await self._rooms.admit(wanted)
        connection = Connection(self._config, self._frames, request.remote or "")
        join = self._rooms.resume if wanted.reconnect else self._rooms.join
        connection.begin(join(wanted, connection))
        return await self.connections.serve(request, connection)

    def _read(self, request: web.Request, *, v1: bool, strict: bool) -> JoinRequest:
        """What the client wants, as far as its token allows it."""
        query = request.query
        claims = access.authenticate(request.headers, query, self._keys, self._clock())
        wrapped = query.get("join_request", "")
        if v1 and not wrapped:
            raise BadRequest("join_request is required")
        if wrapped:
            limit = self._config.max_join_request_bytes
            wanted = join_request.from_wrapped(wrapped, claims, max_bytes=limit)
        else:
            wanted = join_request.from_query(query, claims, strict=strict)
        access.authorize(wanted)
        client_info.complete(wanted.client, request.headers.get("User-Agent", ""), request.remote or "")
        return wanted


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
