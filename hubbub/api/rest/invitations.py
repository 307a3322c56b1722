"""Tokens to join with, for those who administer a room."""

import time
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from auth.grants import Claims
from auth.keys import KeyRing
from hubbub.api.address import websocket_url
from hubbub.tokens import join_token
from rooms.config import RoomConfig
from rooms.join import check_limits

from . import models
from .endpoint import Call, Endpoint

_TAG = "Tokens"


class Inviter:
    """Signs tokens with the server's first API key."""

    def __init__(self, keys: KeyRing, config: RoomConfig) -> None:
        self._keys = keys
        self._config = config

    def endpoints(self) -> list[Endpoint]:
        """The one."""
        return [
            Endpoint(
                "POST", "/api/rooms/{room}/tokens", "Make a token to join a room", _TAG, self.token,
                models.Invitation, models.Invite, status=201, needs="roomAdmin",
            )
        ]  # fmt: skip

    def token(self, call: Call) -> models.Invitation:
        """Needs roomAdmin of the room; the room need not exist yet."""
        return self.invite(call.administered_room(), call.body, call.request)

    def invite(self, room: str, wish: models.Invite, request: web.Request) -> models.Invitation:
        """The token, and where to use it. Raises LimitExceeded."""
        claims = Claims(
            identity=wish.identity, name=wish.name, metadata=wish.metadata, attributes=wish.attributes
        )
        token, expires_at = self.sign(room, claims, wish.ttl_s, wish.grants.model_dump())
        return models.Invitation(
            token=token,
            identity=wish.identity,
            room=room,
            url=websocket_url(request),
            expires_at=expires_at,
        )

    def sign(self, room: str, claims: Claims, ttl_s: float, grants: dict[str, Any]) -> tuple[str, datetime]:
        """A token with these fields of the video grant, and when it expires. Raises LimitExceeded."""
        check_limits(claims.name, claims.metadata, claims.attributes, self._config)
        sources = tuple(grants["can_publish_sources"])
        now = time.time()
        token = join_token(
            self._keys, room, claims, ttl_s=ttl_s, now=now, **grants | {"can_publish_sources": sources}
        )
        return token, datetime.fromtimestamp(int(now + ttl_s), UTC)
