"""The port that Prometheus scrapes: one answer at any path, as LiveKit's, behind a password if there is one."""

import base64
import hmac
from collections.abc import Callable

from aiohttp import hdrs, web

from hubbub.config import MetricsConfig


def metrics_app(config: MetricsConfig, text: Callable[[], bytes], content_type: str) -> web.Application:
    """An application that answers GET with ``text``, which is of this type."""

    async def scrape(request: web.Request) -> web.Response:
        if not _admits(config, request):
            return web.Response(
                status=401,
                text="wrong user name or password\n",
                headers={hdrs.WWW_AUTHENTICATE: 'Basic realm="metrics", charset="UTF-8"'},
            )
        return web.Response(body=text(), headers={hdrs.CONTENT_TYPE: content_type})

    app = web.Application()
    app.router.add_get("/{path:.*}", scrape)
    return app


def _admits(config: MetricsConfig, request: web.Request) -> bool:
    if not config.username:
        return True
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    wanted = base64.b64encode(f"{config.username}:{config.password}".encode())
    return scheme.lower() == "basic" and hmac.compare_digest(given.strip().encode(errors="replace"), wanted)
