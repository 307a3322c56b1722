"""Where the server is, as its callers see it."""

from aiohttp import web


def websocket_url(request: web.Request) -> str:
    """Where the caller found the server, as the SDKs want it; ``wss`` behind a proxy with TLS too."""
    secure = request.secure or request.headers.get("X-Forwarded-Proto", "") == "https"
    return f"{'wss' if secure else 'ws'}://{request.host}"
