"""Tokens for whoever asks, as far as the configuration lets them: LiveKit's token sources, and LiveKit Meet.

``POST`` to the configured path is the protocol of the SDKs' ``TokenSource.endpoint(url)``; ``GET
/api/connection-details`` is what LiveKit Meet's page asks for.
"""

import hmac
import secrets
import time
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from aiohttp import web
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from auth.grants import Claims
from auth.keys import KeyRing
from hubbub.api.address import websocket_url
from hubbub.config.model import TokenEndpointConfig
from hubbub.tokens import join_token
from rooms.config import RoomConfig
from rooms.join import check_limits
from signaling.access import BEARER
from signaling.errors import BadRequest, Unauthorized

MEET_TTL_S = 300.0
"""As LiveKit Meet has it."""
_NO_STORE = {"Cache-Control": "no-store"}


class TokenRequest(BaseModel):
    """What a token source asks for; in either casing, and what is unknown is ignored (as the protocol says)."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    room_name: str = Field("", validation_alias=AliasChoices("room_name", "roomName"))
    participant_name: str = Field("", validation_alias=AliasChoices("participant_name", "participantName"))
    participant_identity: str = Field(
        "", validation_alias=AliasChoices("participant_identity", "participantIdentity")
    )
    participant_metadata: str = Field(
        "", validation_alias=AliasChoices("participant_metadata", "participantMetadata")
    )
    participant_attributes: dict[str, str] = Field(
        default_factory=dict,
        validation_alias=AliasChoices("participant_attributes", "participantAttributes"),
    )
    room_config: dict[str, Any] | None = Field(
        None, validation_alias=AliasChoices("room_config", "roomConfig")
    )


class TokenEndpoint:
    """The two routes."""

    def __init__(self, config: TokenEndpointConfig, rooms: RoomConfig, keys: KeyRing) -> None:
        self._config = config
        self._rooms = rooms
        self._keys = keys

    def routes(self) -> list[web.RouteDef]:
        """Those that are configured."""
        routes = []
        if self._config.path:
            routes.append(web.post(self._config.path, self.token))
        if self._config.connection_details:
            routes.append(web.get("/api/connection-details", self.connection_details))
        return routes

    async def token(self, request: web.Request) -> web.Response:
        """A token for a token source: ``{"server_url", "participant_token"}``."""
        self._authorize(request)
        wish = await _read(request)
        if wish.room_config is not None and not self._config.allow_room_config:
            raise web.HTTPForbidden(text="room_config is not allowed here (token_endpoint.allow_room_config)")
        identity = wish.participant_identity or f"user-{secrets.token_hex(6)}"
        claims = Claims(
            identity=identity,
            name=wish.participant_name,
            metadata=wish.participant_metadata,
            attributes=wish.participant_attributes,
            room_config=wish.room_config,
        )
        token = self._mint(claims, wish.room_name or f"room-{secrets.token_hex(6)}", self._config.ttl_s)
        answer = {"server_url": self._server_url(request), "participant_token": token}
        return web.json_response(answer, status=201, headers=_NO_STORE)

    async def connection_details(self, request: web.Request) -> web.Response:
        """A token for LiveKit Meet: ``?roomName=…&participantName=…&metadata=…``."""
        self._authorize(request)
        room, name = request.query.get("roomName", ""), request.query.get("participantName", "")
        if not room:
            raise BadRequest("Missing required query parameter: roomName")
        if not name:
            raise BadRequest("Missing required query parameter: participantName")
        metadata = request.query.get("metadata", "")
        claims = Claims(identity=f"{name}__{secrets.token_hex(2)}", name=name, metadata=metadata)
        answer = {
            "serverUrl": self._server_url(request),
            "roomName": room,
            "participantToken": self._mint(claims, room, MEET_TTL_S),
            "participantName": name,
        }
        return web.json_response(answer, headers=_NO_STORE)

    def _mint(self, claims: Claims, room: str, ttl_s: float) -> str:
        if len(room) > self._rooms.max_room_name_chars:
            raise BadRequest(f"a room name has at most {self._rooms.max_room_name_chars} characters")
        if len(claims.identity) > self._rooms.max_identity_chars:
            raise BadRequest(f"an identity has at most {self._rooms.max_identity_chars} characters")
        check_limits(claims.name, claims.metadata, claims.attributes, self._rooms)
        if not any(fnmatchcase(room, pattern) for pattern in self._config.rooms):
            raise web.HTTPForbidden(text="no tokens are given out for this room (token_endpoint.rooms)")
        return join_token(
            self._keys,
            room,
            claims,
            ttl_s=ttl_s,
            now=time.time(),
            can_publish=None if self._config.can_publish else False,
            can_update_own_metadata=True,
        )

    def _authorize(self, request: web.Request) -> None:
        wanted = BEARER + self._config.authorization
        given = request.headers.get("Authorization", "")
        if self._config.authorization and not hmac.compare_digest(given.encode(), wanted.encode()):
            raise Unauthorized("this token endpoint wants an Authorization: Bearer header")

    def _server_url(self, request: web.Request) -> str:
        return self._config.server_url or websocket_url(request)


async def _read(request: web.Request) -> TokenRequest:
    try:
        body: Mapping[str, Any] = await request.json() if request.can_read_body else {}
        return TokenRequest.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadRequest(f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}") from None
    except ValueError:
        raise BadRequest("the body is not JSON") from None
