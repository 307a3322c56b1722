"""Deliveries over HTTP: who may see them, what is shown, and replaying."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from auth.grants import Claims, VideoGrant
from auth.tokens import mint
from hubbub.api.app import build_app
from hubbub.api.webhooks import WebhookRoutes
from tests.harness.eventually import eventually
from tests.harness.webhook_receiver import Receiver, receiving
from tests.harness.webhooks import KEYS, LIFE, life, sending

PATH = "/api/webhooks/deliveries"


def bearer(**grants: bool) -> dict[str, str]:
    claims = Claims(video=VideoGrant(**grants))
    return {"Authorization": "Bearer " + mint(claims, "devkey", KEYS.secret("devkey"), now=time.time())}


MAY = bearer(room_create=True)


@asynccontextmanager
async def api(status: int = 200) -> AsyncIterator[tuple[TestClient[web.Request, web.Application], Receiver]]:
    """The API after a room's life, whose events were answered so."""
    async with (
        receiving(lambda event, attempt: status if attempt == 1 else 200) as receiver,
        sending(receiver.url) as webhooks,
    ):
        life(webhooks)
        await eventually(lambda: not any(counter.pending for counter in webhooks.counters.values()))
        async with TestClient(TestServer(build_app(WebhookRoutes(webhooks, KEYS).routes()))) as client:
            yield client, receiver


async def test_a_list_with_pages() -> None:
    async with api() as (client, _):
        answer = await (await client.get(PATH, params={"limit": "4"}, headers=MAY)).json()
        rest = await (await client.get(PATH, params={"page": answer["next_page"]}, headers=MAY)).json()
        shown = answer["deliveries"] + rest["deliveries"]
        assert [item["event"] for item in shown] == LIFE[::-1]
        assert rest["next_page"] == ""
        assert {item["attempts"] for item in shown} <= {0, 1}


async def test_one_is_shown_with_its_body() -> None:
    async with api() as (client, receiver):
        listed = await (await client.get(PATH, headers=MAY)).json()
        shown = await (await client.get(f"{PATH}/{listed['deliveries'][-1]['id']}", headers=MAY)).json()
        assert shown["body"] == receiver.received[0].body


async def test_dead_letters_are_replayed() -> None:
    async with api(404) as (client, receiver):
        dead = (await (await client.get(PATH, params={"state": "dead"}, headers=MAY)).json())["deliveries"]
        assert len(dead) == 6
        answer = await client.post(f"{PATH}/{dead[-1]['id']}/replay", headers=MAY)
        assert answer.status == 202
        assert (await answer.json())["event"] == "room_started"
        answer = await client.post("/api/webhooks/replay-dead", params={"target": receiver.url}, headers=MAY)
        assert (await answer.json())["replayed"] in (5, 6)
        await eventually(lambda: sorted(receiver.names()) == sorted(LIFE), lambda: str(receiver.names()))


@pytest.mark.parametrize("headers", [{}, bearer(room_list=True), {"Authorization": "Bearer nonsense"}])
async def test_others_are_refused(headers: dict[str, str]) -> None:
    async with api() as (client, _):
        for answer in (
            await client.get(PATH, headers=headers),
            await client.get(PATH + "/1", headers=headers),
            await client.post(PATH + "/1/replay", headers=headers),
            await client.post("/api/webhooks/replay-dead", headers=headers),
        ):
            assert answer.status == 401
            assert "room_started" not in await answer.text()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PATH + "?state=lost", 400),
        ("GET", PATH + "?limit=many", 400),
        ("GET", PATH + "?limit=99999999999999999999", 400),
        ("GET", PATH + "/0", 404),
        ("GET", PATH + "/..%2F..%2Fetc", 404),
        ("POST", PATH + "/x/replay", 404),
        ("POST", "/api/webhooks/replay-dead?target=nobody", 409),
    ],
)
async def test_what_makes_no_sense_is_refused(method: str, path: str, status: int) -> None:
    async with api() as (client, _):
        answer = await client.request(method, path, headers=MAY)
        assert answer.status == status
        assert "error" in await answer.json()
