"""The route of the JSON door: ``/ws?token=…``."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web
from livekit.protocol import models

from auth.grants import Claims
from auth.keys import KeyRing
from signaling import access, client_info
from signaling.app import PREFIX
from signaling.config import SignalingConfig
from signaling.ports import Rooms
from signaling.upgrade import Connections, check_asks_for_upgrade, check_handshake

from .connection import JsonConnection


class JsonDoor:
    """Handler of the route."""

    def __init__(
        self,
        rooms: Rooms,
        keys: KeyRing,
        config: SignalingConfig,
        clock: Callable[[], float] = time.time,
        *,
        find_key: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """``find_key`` may add the key that a token names to ``keys``: it is called for tokens within messages."""
        self._rooms = rooms
        self._keys = keys
        self._clock = clock
        self._find_key = find_key
        self._config = replace(config, max_message_bytes=config.json_max_message_bytes)
        self.connections = Connections()

    def routes(self) -> list[web.RouteDef]:
        """Routes for an aiohttp application."""
        return [web.route("*", PREFIX + "ws", self.connect)]

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """One client, with a token to join a room in the query (``token`` or ``access_token``) or the header."""
        check_asks_for_upgrade(request)
        query = dict(request.query)
        query["access_token"] = query.get("token") or query.get("access_token", "")
        claims = access.authenticate(request.headers, query, self._keys, self._clock())
        check_handshake(request)
        client = models.ClientInfo(protocol=CLIENT_PROTOCOL)
        client_info.complete(client, request.headers.get("User-Agent", ""), request.remote or "")
        connection = JsonConnection(self._config, self._rooms, claims, self._verify, client, self._find_key)
        return await self.connections.serve(request, connection)

    def _verify(self, token: str) -> Claims:
        return access.authenticate({}, {"access_token": token}, self._keys, self._clock())


CLIENT_PROTOCOL = 16
"""LiveKit's client protocol that the door speaks towards sessions."""
