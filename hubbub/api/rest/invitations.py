"""Tokens to join with, for those who administer a room."""

import time
from dataclasses import replace
from datetime import UTC, datetime

from aiohttp import web

from auth.grants import Claims, VideoGrant
from auth.keys import KeyRing
from auth.tokens import mint
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
        check_limits(wish.name, wish.metadata, wish.attributes, self._config)
        grants = wish.grants.model_dump()
        grants["can_publish_sources"] = tuple(grants["can_publish_sources"])
        claims = Claims(
            identity=wish.identity,
            name=wish.name,
            metadata=wish.metadata,
            attributes=wish.attributes,
            video=replace(VideoGrant(room_join=True, room=room), **grants),
        )
        key, secret = self._keys.first()
        now = time.time()
        return models.Invitation(
            token=mint(claims, key, secret, ttl_s=wish.ttl_s, now=now),
            identity=wish.identity,
            room=room,
            url=websocket_url(request),
            expires_at=datetime.fromtimestamp(int(now + wish.ttl_s), UTC),
        )


def websocket_url(request: web.Request) -> str:
    """Where the caller found the server, as the SDKs want it."""
    secure = request.secure or request.headers.get("X-Forwarded-Proto", "") == "https"
    return f"{'wss' if secure else 'ws'}://{request.host}"
