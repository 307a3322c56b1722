"""The document, and the server against it."""

import os
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from hubbub import Server
from hubbub.api.rest.service import Rest
from hubbub.testing import HubbubServer

SECONDS = 20


async def test_every_route_is_in_the_document(api: aiohttp.ClientSession, server: Server) -> None:
    async with api.get("/api/openapi.json") as answer:
        document = await answer.json()
    rest = Rest(
        server.administration, server.config.keys, server.config.rooms, server.history, server.webhooks
    )
    routes = {(route.method, route.path) for route in rest.routes() if isinstance(route, web.RouteDef)}
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert routes - described == {("GET", "/api/openapi.json"), ("GET", "/api/docs")}
    identifiers = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(set(identifiers)) == len(identifiers)


async def test_the_page_is_served_with_a_policy(api: aiohttp.ClientSession) -> None:
    async with api.get("/api/docs") as answer:
        assert "openapi.json" in await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.timeout(180)
def test_the_server_does_what_the_document_says(hubbub: HubbubServer, tmp_path: Path) -> None:
    """schemathesis makes requests, good and bad, from the document, for a bounded time."""
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"{hubbub.http_url}/api/openapi.json",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=25",
        f"--max-time={SECONDS}",
        "--seed=1",
        "--suppress-health-check=all",
        "--exclude-checks=unsupported_method",
        f"--auth={hubbub.api_key}:{hubbub.api_secret}",
    ]
    run = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
        env=os.environ | {"NO_COLOR": "1"},
        cwd=tmp_path,  # for the cache that it leaves behind
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert hubbub.running
