from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hubbub.api.app import build_app
from hubbub.web.pages import FILES, SECURITY_HEADERS, Pages
from tests.harness.listening import listening
from tests.harness.raw_http import ask

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """Serves a page made of one line each."""
    for name in ("index.html", "page.js", "style.css"):
        (tmp_path / name).write_text(f"this is {name}")
    (tmp_path / "secret.txt").write_text("not to be served")
    async with listening(build_app(Pages(tmp_path).routes())) as port:
        yield port


async def test_the_page_comes_with_its_policy(port: int) -> None:
    answer = await ask(port, "/?room=r", headers=BROWSER)
    assert answer.body == "this is index.html"
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name.lower()] == value
    assert answer.headers["vary"] == "Accept, Origin"


async def test_the_policy_lets_nothing_but_this_server_in(port: int) -> None:
    policy = (await ask(port, "/", headers=BROWSER)).headers["content-security-policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy


@pytest.mark.parametrize("name", ["page.js", "style.css"])
async def test_its_files(port: int, name: str) -> None:
    answer = await ask(port, f"/assets/{name}")
    assert (answer.status, answer.body) == (200, f"this is {name}")
    assert answer.headers["content-type"].startswith(FILES[name])
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["icon.svg", "secret.txt", "index.html", "..%2fsecret.txt", "%2e%2e/secret.txt", ""]
)
async def test_nothing_else(port: int, name: str) -> None:
    assert (await ask(port, f"/assets/{name}")).status == 404


async def test_without_a_built_page_it_says_how_to_build_it(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    assert not pages.built
    body = pages.index().body
    assert isinstance(body, bytes)
    assert b"python -m hubbub.web.build" in body
