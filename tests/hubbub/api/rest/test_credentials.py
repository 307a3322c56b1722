"""Who may call what."""

import time

import aiohttp
import pytest

from auth.grants import Claims, VideoGrant
from auth.tokens import mint
from hubbub import Server
from tests.hubbub.api.rest.conftest import KEY, SECRET

ADMIN = VideoGrant(room_admin=True, room="kitchen")
CALLS = [
    ("POST", "/api/rooms", {"name": "kitchen"}, VideoGrant(room_create=True), 201),
    ("POST", "/api/rooms", {"name": "kitchen"}, ADMIN, 401),
    ("GET", "/api/rooms", None, VideoGrant(room_list=True), 200),
    ("GET", "/api/rooms", None, VideoGrant(room_create=True), 401),
    ("GET", "/api/rooms/kitchen", None, ADMIN, 404),
    ("GET", "/api/rooms/attic", None, ADMIN, 401),
    ("POST", "/api/rooms/kitchen/tokens", {"identity": "ann"}, ADMIN, 201),
    ("POST", "/api/rooms/attic/tokens", {"identity": "ann"}, ADMIN, 401),
    ("POST", "/livekit/token", {"roomName": "kitchen", "participantName": "ann"}, ADMIN, 201),
    (
        "POST",
        "/livekit/token",
        {"roomName": "kitchen", "participantName": "ann", "roomCreate": True},
        ADMIN,
        401,
    ),
    ("GET", "/api/history/rooms", None, VideoGrant(room_list=True), 200),
    ("GET", "/api/webhooks/deliveries", None, VideoGrant(room_list=True), 401),
    ("GET", "/api/health", None, VideoGrant(), 200),
]


@pytest.mark.parametrize(("method", "path", "body", "grant", "status"), CALLS)
async def test_tokens_reach_as_far_as_they_grant(
    server: Server, method: str, path: str, body: object, grant: VideoGrant, status: int
) -> None:
    token = mint(Claims(identity="app", video=grant), KEY, SECRET, now=time.time())
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(server.url, headers=headers) as client,
        client.request(method, path, json=body) as answer,
    ):
        assert answer.status == status


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer nonsense",
        "Basic nonsense",
        aiohttp.encode_basic_auth(KEY, "wrong"),
        aiohttp.encode_basic_auth("nobody", SECRET),
        aiohttp.encode_basic_auth("nobody", ""),
        "Digest a=b",
    ],
)
async def test_others_are_refused(server: Server, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with (
        aiohttp.ClientSession(server.url, headers=headers) as client,
        client.get("/api/rooms") as answer,
    ):
        assert answer.status == 401
        assert (await answer.json())["error"]["code"] == "unauthenticated"
        assert "Basic" in answer.headers["WWW-Authenticate"]
        assert SECRET not in await answer.text()
