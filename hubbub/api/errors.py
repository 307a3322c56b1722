"""The one table that turns errors into HTTP answers.

Handlers raise what the packages below raise; the middleware here answers with the status of the first
matching row and the error's own text. Anything that is in no row is a bug: aiohttp logs it and answers 500.
"""

from aiohttp import web
from aiohttp.typedefs import Handler

from auth.errors import AuthError
from rooms.errors import InvalidJoin, LimitExceeded, NotAllowed, RoomFull, RoomNotFound, ShuttingDown
from signaling.errors import BadRequest, NotAWebSocket, Unauthorized

STATUS: tuple[tuple[type[Exception], int], ...] = (
    (AuthError, 401),
    (Unauthorized, 401),
    (BadRequest, 400),
    (NotAWebSocket, 404),
    (RoomNotFound, 404),
    (NotAllowed, 401),
    (InvalidJoin, 400),
    (LimitExceeded, 400),
    # Clients try again after a 503, and a full room may have a place by then.
    (RoomFull, 503),
    (ShuttingDown, 503),
)
"""Error classes and their status, the narrower first."""

ERRORS = tuple(error for error, _ in STATUS)
NOT_FOUND = "404 page not found\n"
"""Body of the answer to a path that leads nowhere (as LiveKit's)."""


def status_of(error: Exception) -> int:
    """The status of an error that has a row in the table."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


@web.middleware
async def errors_as_http(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer in plain text for every error in the table, and for unknown paths."""
    try:
        return await handler(request)
    except ERRORS as error:
        return web.Response(status=status_of(error), text=str(error))
    except web.HTTPNotFound:
        return web.Response(status=404, text=NOT_FOUND)
