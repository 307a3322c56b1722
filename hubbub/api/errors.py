"""The one table that turns errors into HTTP answers.

Handlers raise what the packages below raise; the first matching row gives the code, and the code the status.
Signalling and plain paths answer with the error's own text (the middleware here), Twirp with code and text
(``hubbub.api.twirp``). Anything that is in no row is a bug: it is logged and answered 500.
"""

from enum import StrEnum

from aiohttp import web
from aiohttp.typedefs import Handler

from auth.errors import AuthError
from hubbub.api.access import PermissionsDenied
from hubbub.database import DatabaseError
from hubbub.history.errors import NoSuchRoom
from hubbub.webhooks.errors import NoSuchDelivery, NoSuchTarget
from rooms.errors import (
    Banned,
    BanNotFound,
    DispatchNotFound,
    InvalidJoin,
    InvalidRequest,
    InvalidRpc,
    LimitExceeded,
    NotAllowed,
    NotHost,
    NotKept,
    NotNow,
    ParticipantNotFound,
    Revoked,
    RoomFull,
    RoomLocked,
    RoomNotFound,
    RpcFailed,
    RpcTimedOut,
    RpcUnavailable,
    RpcUnsupported,
    ShuttingDown,
)
from signaling.errors import BadRequest, NotAWebSocket, Unauthorized


class Code(StrEnum):
    """Twirp's error codes, with their HTTP statuses."""

    status: int

    def __new__(cls, name: str, status: int) -> "Code":
        code = str.__new__(cls, name)
        code._value_ = name
        code.status = status
        return code

    CANCELED = "canceled", 408
    DEADLINE_EXCEEDED = "deadline_exceeded", 408
    INVALID_ARGUMENT = "invalid_argument", 400
    MALFORMED = "malformed", 400
    UNAUTHENTICATED = "unauthenticated", 401
    PERMISSION_DENIED = "permission_denied", 403
    NOT_FOUND = "not_found", 404
    BAD_ROUTE = "bad_route", 404
    ALREADY_EXISTS = "already_exists", 409
    FAILED_PRECONDITION = "failed_precondition", 412
    RESOURCE_EXHAUSTED = "resource_exhausted", 429
    INTERNAL = "internal", 500
    UNIMPLEMENTED = "unimplemented", 501
    UNAVAILABLE = "unavailable", 503


CODES: tuple[tuple[type[Exception], Code], ...] = (
    (AuthError, Code.UNAUTHENTICATED),
    (Unauthorized, Code.UNAUTHENTICATED),
    (PermissionsDenied, Code.UNAUTHENTICATED),
    (BadRequest, Code.INVALID_ARGUMENT),
    (NotAWebSocket, Code.BAD_ROUTE),
    (RoomNotFound, Code.NOT_FOUND),
    (ParticipantNotFound, Code.NOT_FOUND),
    (DispatchNotFound, Code.NOT_FOUND),
    (NoSuchRoom, Code.NOT_FOUND),
    (NoSuchDelivery, Code.NOT_FOUND),
    (NoSuchTarget, Code.NOT_FOUND),
    (DatabaseError, Code.UNAVAILABLE),
    (BanNotFound, Code.NOT_FOUND),
    (Revoked, Code.UNAUTHENTICATED),
    (Banned, Code.PERMISSION_DENIED),
    (RoomLocked, Code.PERMISSION_DENIED),
    (NotHost, Code.PERMISSION_DENIED),
    (NotAllowed, Code.UNAUTHENTICATED),
    (InvalidJoin, Code.INVALID_ARGUMENT),
    (InvalidRequest, Code.INVALID_ARGUMENT),
    (InvalidRpc, Code.INVALID_ARGUMENT),
    (LimitExceeded, Code.INVALID_ARGUMENT),
    (NotNow, Code.FAILED_PRECONDITION),
    # Clients try again after a 503, and a full room may have a place by then.
    (RoomFull, Code.UNAVAILABLE),
    (NotKept, Code.UNAVAILABLE),
    (ShuttingDown, Code.UNAVAILABLE),
    (RpcTimedOut, Code.CANCELED),
    (RpcUnavailable, Code.UNAVAILABLE),
    (RpcUnsupported, Code.UNIMPLEMENTED),
    (RpcFailed, Code.INTERNAL),
)
"""Error classes and their code, the narrower first."""

ERRORS = tuple(error for error, _ in CODES)
NOT_FOUND = "404 page not found\n"
"""Body of the answer to a path that leads nowhere (as LiveKit's)."""


def code_of(error: Exception) -> Code:
    """The code of an error that has a row in the table."""
    return next(code for kind, code in CODES if isinstance(error, kind))


def status_of(error: Exception) -> int:
    """The HTTP status of an error that has a row in the table."""
    return code_of(error).status


@web.middleware
async def errors_as_http(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer in plain text for every error in the table, and for unknown paths."""
    try:
        return await handler(request)
    except ERRORS as error:
        return web.Response(status=status_of(error), text=str(error))
    except web.HTTPNotFound:
        return web.Response(status=404, text=NOT_FOUND)
