"""Tokens for the page in dev mode: ``GET /dev/token?room=…&identity=…&name=…``.

Whoever reaches the server gets one, which is why the route exists in dev mode alone, where the server listens
on the loopback interface and its secret is no secret.
"""

import time

from aiohttp import web

from auth.grants import Claims
from auth.keys import KeyRing
from hubbub.tokens import join_token
from signaling.access import MAX_NAME_CHARS
from signaling.errors import BadRequest

TTL_S = 6 * 3600.0


class DevTokens:
    """The token route."""

    def __init__(self, keys: KeyRing, *, enabled: bool) -> None:
        self._keys = keys
        self._enabled = enabled

    def routes(self) -> list[web.RouteDef]:
        """Routes for an aiohttp application."""
        return [web.get("/dev/token", self.token)]

    async def token(self, request: web.Request) -> web.Response:
        """A token to join ``room`` as ``identity``, called ``name``. 403 outside dev mode."""
        if not self._enabled:
            raise web.HTTPForbidden(text="Tokens are given out here in dev mode (--dev) only.")
        # Pages of other sites may not fetch tokens on behalf of whoever has them open.
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise web.HTTPForbidden(text="Tokens are for Hubbub's own page.")
        room, identity, name = (request.query.get(field, "") for field in ("room", "identity", "name"))
        if not room or not identity:
            raise BadRequest("room and identity are required")
        if max(len(room), len(identity), len(name)) > MAX_NAME_CHARS:
            raise BadRequest(f"room, identity and name may have {MAX_NAME_CHARS} characters")
        claims = Claims(identity=identity, name=name)
        token = join_token(
            self._keys, room, claims, ttl_s=TTL_S, now=time.time(), can_update_own_metadata=True
        )
        return web.json_response({"token": token}, headers={"Cache-Control": "no-store"})
