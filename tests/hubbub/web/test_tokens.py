import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import pytest

from auth.tokens import verify
from hubbub.api.app import build_app
from hubbub.web.tokens import DevTokens
from tests.harness.http_server import KEYS
from tests.harness.listening import listening
from tests.harness.raw_http import ask


@asynccontextmanager
async def serving_tokens(*, enabled: bool = True) -> AsyncIterator[int]:
    async with listening(build_app(DevTokens(KEYS, enabled=enabled).routes())) as port:
        yield port


async def test_a_token_for_that_room_and_person_only() -> None:
    async with serving_tokens() as port:
        answer = await ask(port, f"/dev/token?room=r&identity=ann&name={quote('Ann Ä.')}")
        claims = verify(json.loads(answer.body)["token"], KEYS, time.time())
    assert (claims.identity, claims.name) == ("ann", "Ann Ä.")
    assert claims.video is not None
    assert (claims.video.room_join, claims.video.room) == (True, "r")
    assert not claims.video.room_admin
    assert not claims.video.room_create
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "query", ["", "room=r", "identity=a", "room=&identity=a", f"room=r&identity={'a' * 257}"]
)
async def test_what_is_missing_or_too_long_is_said(query: str) -> None:
    async with serving_tokens() as port:
        answer = await ask(port, f"/dev/token?{query}")
        assert answer.status == 400
        assert "room" in answer.body


async def test_none_outside_dev_mode() -> None:
    async with serving_tokens(enabled=False) as port:
        assert (await ask(port, "/dev/token?room=r&identity=a")).status == 403


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)]
)
async def test_none_for_pages_of_others(site: str, status: int) -> None:
    async with serving_tokens() as port:
        headers = {"Sec-Fetch-Site": site}
        assert (await ask(port, "/dev/token?room=r&identity=a", headers=headers)).status == status
