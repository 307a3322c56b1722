"""The HTTP application: signalling, health and whatever else is given, behind one set of middlewares."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from hubbub.api.cors import EVERYBODY, Cors
from hubbub.api.errors import errors_as_http
from hubbub.api.turns import Turnstile
from signaling.config import SignalingConfig

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Larger request bodies are answered 413 (LiveKit's limit)."""
MAX_HEADERS = 64
KEEPALIVE_S = 30.0
"""A connection without a complete request for so long is closed: idle, or dribbling its headers."""
LINGERING_S = 2.0
"""How long the rest of a body that nobody wants is read."""
SHUTDOWN_TIMEOUT_S = 2.0
"""How long open connections may flush when the server stops."""


def build_app(
    routes: Iterable[web.AbstractRouteDef],
    *,
    max_body_bytes: int = MAX_BODY_BYTES,
    middlewares: Iterable[Middleware] = (),
    cors_origins: Sequence[str] = (EVERYBODY,),
) -> web.Application:
    """An aiohttp application with these routes; errors are answered and CORS is allowed on all of them.

    ``middlewares`` come after those, closest to the handlers.
    """
    cors = Cors(cors_origins)
    app = web.Application(
        middlewares=[
            Turnstile().let_in,
            cors.answer_preflights,
            refuse_bodies_over(max_body_bytes),
            errors_as_http,
            *middlewares,
        ],
        client_max_size=max_body_bytes,
    )
    app.on_response_prepare.append(cors.allow)
    app.add_routes(routes)
    return app


def refuse_bodies_over(limit: int) -> Middleware:
    """Refuse a body that announces itself as too large unread; undeclared ones are cut off when read."""

    @web.middleware
    async def refuse_large_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (request.content_length or 0) > limit:
            return web.Response(status=413, text="request body too large")
        return await handler(request)

    return refuse_large_bodies


def runner_for(app: web.Application, config: SignalingConfig, **options: Any) -> web.AppRunner:
    """An aiohttp runner with Hubbub's limits: long URLs, no slow connection kept, a quick shutdown."""
    limits: dict[str, Any] = {
        "max_line_size": config.max_url_bytes,
        "max_field_size": config.max_url_bytes,
        "max_headers": MAX_HEADERS,
        "keepalive_timeout": KEEPALIVE_S,
        "lingering_time": LINGERING_S,
        "shutdown_timeout": SHUTDOWN_TIMEOUT_S,
        "access_log": None,
        "logger": _logger(),
        "handle_signals": False,
    }
    return web.AppRunner(app, **(limits | options))


def _logger() -> logging.Logger:
    """What goes wrong while serving requests; nothing of requests that are no HTTP, which anybody may send."""
    logger = logging.getLogger("hubbub.http")
    logger.addFilter(_is_ours)
    return logger


def _is_ours(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)
