"""Serves the built page: ``/`` for browsers, its files below ``/assets/``, and tokens for it in dev mode."""

from pathlib import Path

from aiohttp import web

from hubbub.api.health import health, wants_page

STATIC = Path(__file__).parent / "static"
FILES = {
    "page.js": "text/javascript",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
}
"""What may be fetched, and nothing else."""

SECURITY_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "media-src 'self' blob: mediastream:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Sent with the page: no network beyond this server, no framing by others."""

NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Hubbub</title>
<h1>Hubbub is running</h1><p>Its page has not been built yet: run
<code>python -m hubbub.web.build</code>.</p>"""


class Pages:
    """The page's files, read once at start."""

    def __init__(self, static: Path = STATIC) -> None:
        names = ("index.html", *FILES)
        self._files = {name: (static / name).read_bytes() for name in names if (static / name).is_file()}

    @property
    def built(self) -> bool:
        """Whether there is a page to serve."""
        return "index.html" in self._files

    def routes(self) -> list[web.RouteDef]:
        """Routes for an aiohttp application."""
        return [web.route("*", "/", self.root), web.get("/assets/{name}", self.asset)]

    async def root(self, request: web.Request) -> web.Response:
        """The page for browsers, health for everybody else."""
        answer = self.index() if wants_page(request) else await health(request)
        answer.headers["Vary"] = "Accept, Origin"
        return answer

    def index(self) -> web.Response:
        """The page itself."""
        html = self._files.get("index.html", NOT_BUILT.encode())
        return web.Response(
            body=html,
            content_type="text/html",
            charset="utf-8",
            headers=SECURITY_HEADERS | {"Cache-Control": "no-cache"},
        )

    async def asset(self, request: web.Request) -> web.Response:
        """One of the page's files."""
        name = request.match_info["name"]
        if name not in FILES or name not in self._files:
            raise web.HTTPNotFound
        return web.Response(
            body=self._files[name],
            content_type=FILES[name],
            charset=None if FILES[name].startswith("image/") else "utf-8",
            headers={"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"},
        )
