"""Tokens for whoever may ask: what is in them, and who gets none."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from auth.grants import Claims
from auth.tokens import verify
from hubbub.api.app import build_app
from hubbub.api.token_endpoint import TokenEndpoint
from hubbub.config.model import TokenEndpointConfig
from rooms.config import RoomConfig
from tests.harness.http_server import KEYS
from tests.harness.listening import listening

CONFIG = TokenEndpointConfig(path="/api/token", connection_details=True)


@asynccontextmanager
async def asking(config: TokenEndpointConfig = CONFIG) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        listening(build_app(TokenEndpoint(config, RoomConfig(), KEYS).routes())) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        yield client


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def claims_of(token: str) -> Claims:
    return verify(token, KEYS, time.time())


async def post(client: aiohttp.ClientSession, body: Any, **headers: str) -> tuple[int, Any]:
    async with client.post("/api/token", json=body, headers=headers) as answer:
        is_json = answer.content_type == "application/json"
        return answer.status, await answer.json() if is_json else await answer.text()


async def test_what_a_token_source_asks_for_is_in_the_token() -> None:
    wish = {
        "room_name": "kitchen",
        "participant_name": "Ann",
        "participant_identity": "ann",
        "participant_metadata": "m",
        "participant_attributes": {"a": "1"},
    }
    for body in (wish, {camel(name): value for name, value in wish.items()}):
        async with asking() as client:
            status, answer = await post(client, body)
        assert status == 201
        assert answer["server_url"].startswith("ws://127.0.0.1:")
        claims = claims_of(answer["participant_token"])
        assert (claims.identity, claims.name, claims.metadata) == ("ann", "Ann", "m")
        assert claims.attributes == {"a": "1"}
        assert claims.video is not None
        assert (claims.video.room, claims.video.room_join) == ("kitchen", True)
        assert not claims.video.room_admin
        assert claims.expires_at is not None
        assert claims.expires_at - time.time() <= CONFIG.ttl_s


async def test_what_is_left_out_is_made_up() -> None:
    async with asking() as client:
        _, one = await post(client, {})
        _, other = await post(client, {"unknown": "ignored"})
    claims = [claims_of(answer["participant_token"]) for answer in (one, other)]
    assert claims[0].identity != claims[1].identity
    assert claims[0].video is not None
    assert claims[0].video.room


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"room_name": 3}, 400),
        ({"participant_attributes": {"a": 1}}, 400),
        ([], 400),
        ({"room_name": "x" * 300}, 400),
        ({"participant_identity": "x" * 300}, 400),
        ({"participant_metadata": "x" * 600_000}, 400),
        ({"room_name": "attic"}, 403),
        ({"room_name": "kitchen-1", "room_config": {"agents": []}}, 403),
    ],
)
async def test_what_is_refused(body: Any, status: int) -> None:
    async with asking(replace(CONFIG, rooms=("kitchen-*", "x*"))) as client:
        assert (await post(client, body))[0] == status


async def test_what_is_no_json_is_refused() -> None:
    async with asking() as client, client.post("/api/token", data=b"{") as answer:
        assert answer.status == 400


async def test_callers_may_have_to_show_a_secret() -> None:
    async with asking(replace(CONFIG, authorization="open sesame")) as client:
        assert (await post(client, {}))[0] == 401
        assert (await post(client, {}, Authorization="Bearer wrong"))[0] == 401
        assert (await post(client, {}, Authorization="Bearer open sesame"))[0] == 201
        async with client.get("/api/connection-details?roomName=a&participantName=b") as answer:
            assert answer.status == 401


async def test_agents_and_limits_as_configured() -> None:
    config = replace(CONFIG, allow_room_config=True, can_publish=False, server_url="wss://example.org")
    async with asking(config) as client:
        _, answer = await post(client, {"room_config": {"agents": [{"agent_name": "helper"}]}})
    claims = claims_of(answer["participant_token"])
    assert claims.room_config == {"agents": [{"agent_name": "helper"}]}
    assert claims.video is not None
    assert not claims.video.may_publish()
    assert answer["server_url"] == "wss://example.org"


async def test_meet_gets_its_connection_details() -> None:
    async with asking() as client:
        url = "/api/connection-details?roomName=kitchen&participantName=Ann&metadata=m&region=eu"
        async with client.get(url, headers={"X-Forwarded-Proto": "https"}) as answer:
            details = await answer.json()
        async with client.get("/api/connection-details?roomName=kitchen") as answer:
            assert answer.status == 400
    assert details["serverUrl"].startswith("wss://")
    assert (details["roomName"], details["participantName"]) == ("kitchen", "Ann")
    claims = claims_of(details["participantToken"])
    assert (claims.name, claims.metadata) == ("Ann", "m")
    assert claims.identity.startswith("Ann__")


async def test_nothing_is_there_unless_it_is_configured() -> None:
    async with asking(TokenEndpointConfig()) as client:
        assert (await post(client, {}))[0] == 404
        async with client.get("/api/connection-details?roomName=a&participantName=b") as answer:
            assert answer.status == 404
