"""Which pages may talk to the server."""

import aiohttp
import pytest
from aiohttp import web

from hubbub.api.app import build_app
from tests.harness.listening import listening

PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


async def answer(request: web.Request) -> web.Response:
    return web.Response(text="here")


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (("*",), "https://a.example", "*"),
        (("https://a.example",), "https://a.example", "https://a.example"),
        (("https://a.example",), "https://b.example", None),
    ],
)
async def test_origins(origins: tuple[str, ...], origin: str, allowed: str | None) -> None:
    async with (
        listening(build_app([web.post("/", answer)], cors_origins=origins)) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers={"Origin": origin}) as page,
    ):
        async with page.options("/", headers=PREFLIGHT) as preflight:
            assert preflight.status == (403 if allowed is None else 204)
        async with page.post("/") as posted:
            assert posted.headers.get("Access-Control-Allow-Origin") == allowed
            assert posted.headers["Vary"] == "Origin"
