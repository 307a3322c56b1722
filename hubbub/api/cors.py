"""CORS: which pages may talk to the server. By default all: there are no cookies to protect; a token opens doors.

A browser that can't read a refusal reports a network failure instead of the cause, so the headers are on
every answer, errors included.
"""

from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Handler

MAX_AGE_S = 86400
"""How long a browser may remember a preflight (LiveKit's)."""


EVERYBODY = "*"


class Cors:
    """The rule for one application. ``origins`` are such as ``https://meet.example.org``, or ``*`` for all."""

    def __init__(self, origins: Sequence[str] = (EVERYBODY,)) -> None:
        self._origins = frozenset(origins)

    async def allow(self, request: web.Request, response: web.StreamResponse) -> None:
        """An ``on_response_prepare`` hook: put the headers on an answer."""
        if response.status == 101:
            return
        headers, origin = response.headers, request.headers.get("Origin", "")
        headers.setdefault("Vary", "Origin")
        if not self._allows(origin):
            return
        headers.setdefault("Access-Control-Allow-Origin", EVERYBODY if EVERYBODY in self._origins else origin)
        if origin:
            headers.setdefault("Access-Control-Expose-Headers", "*")

    @web.middleware
    async def answer_preflights(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a preflight on any path: the method and the headers that it asks for are allowed."""
        method = request.headers.get("Access-Control-Request-Method")
        if request.method != "OPTIONS" or method is None or "Origin" not in request.headers:
            return await handler(request)
        if not self._allows(request.headers["Origin"]):
            return web.Response(
                status=403, text="pages of this origin may not use this server (cors_origins)"
            )
        return web.Response(status=204, headers=_preflight_headers(request, method))

    def _allows(self, origin: str) -> bool:
        return EVERYBODY in self._origins or origin in self._origins


def _preflight_headers(request: web.Request, method: str) -> dict[str, str]:
    headers = {
        "Access-Control-Allow-Origin": request.headers["Origin"],
        "Access-Control-Allow-Methods": method,
        "Access-Control-Max-Age": str(MAX_AGE_S),
        "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }
    asked = request.headers.get("Access-Control-Request-Headers")
    if asked:
        headers["Access-Control-Allow-Headers"] = asked
    return headers
