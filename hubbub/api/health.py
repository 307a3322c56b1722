"""The health answer of ``/``."""

from aiohttp import web


async def health(_request: web.Request) -> web.Response:
    """``OK`` as long as the event loop turns."""
    return web.Response(text="OK")


def wants_page(request: web.Request) -> bool:
    """Whether a browser asks, which gets the page where a probe gets ``OK``."""
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("Accept", "")
