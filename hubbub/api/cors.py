"""CORS: any page may talk to the server. There are no cookies to protect; a token is what opens doors.

A browser that can't read a refusal reports a network failure instead of the cause, so the headers are on
every answer, errors included.
"""

from aiohttp import web
from aiohttp.typedefs import Handler

MAX_AGE_S = 86400
"""How long a browser may remember a preflight (LiveKit's)."""


async def allow_every_origin(request: web.Request, response: web.StreamResponse) -> None:
    """An ``on_response_prepare`` hook: put the headers on an answer."""
    if response.status == 101:
        return
    headers = response.headers
    headers.setdefault("Access-Control-Allow-Origin", "*")
    headers.setdefault("Vary", "Origin")
    if "Origin" in request.headers:
        headers.setdefault("Access-Control-Expose-Headers", "*")


@web.middleware
async def answer_preflights(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a preflight on any path: the method and the headers that it asks for are allowed."""
    method = request.headers.get("Access-Control-Request-Method")
    if request.method != "OPTIONS" or method is None or "Origin" not in request.headers:
        return await handler(request)
    headers = {
        "Access-Control-Allow-Origin": request.headers["Origin"],
        "Access-Control-Allow-Methods": method,
        "Access-Control-Max-Age": str(MAX_AGE_S),
        "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }
    asked = request.headers.get("Access-Control-Request-Headers")
    if asked:
        headers["Access-Control-Allow-Headers"] = asked
    return web.Response(status=204, headers=headers)
