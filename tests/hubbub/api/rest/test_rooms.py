"""Rooms over REST."""

from typing import Any

import aiohttp
import pytest

from hubbub import Server


async def call(
    api: aiohttp.ClientSession, method: str, path: str, body: Any = None, **query: str
) -> tuple[int, Any]:
    async with api.request(method, path, json=body, params=query) as answer:
        return answer.status, await answer.json() if answer.status != 204 else None


async def test_a_room_from_its_making_to_its_end(api: aiohttp.ClientSession, server: Server) -> None:
    wish = {"name": "kitchen", "metadata": "menu", "empty_timeout_s": 60, "max_participants": 4}
    status, room = await call(api, "POST", "/api/rooms", wish)
    assert status == 201
    assert wish.items() <= room.items()
    assert room["created_at"].endswith("Z")
    assert await call(api, "GET", "/api/rooms/kitchen") == (200, room)

    status, changed = await call(
        api, "PATCH", "/api/rooms/kitchen", {"metadata": "closed", "max_participants": 2}
    )
    assert (status, changed["metadata"], changed["max_participants"]) == (200, "closed", 2)
    assert changed["empty_timeout_s"] == 60
    assert server.rooms["kitchen"].metadata == "closed"

    assert await call(api, "DELETE", "/api/rooms/kitchen") == (204, None)
    status, error = await call(api, "GET", "/api/rooms/kitchen")
    assert (status, error["error"]["code"]) == (404, "not_found")


async def test_rooms_are_listed_by_the_page(api: aiohttp.ClientSession) -> None:
    for name in ("b", "a", "d", "c", "e"):
        await call(api, "POST", "/api/rooms", {"name": name})
    names, after = [], ""
    while after is not None:
        _, page = await call(api, "GET", "/api/rooms", limit="2", after=after)
        names.append([room["name"] for room in page["rooms"]])
        after = page["next_after"]
    assert names == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": 3}, "name"),
        ({"name": "a", "max_participants": -1}, "max_participants"),
        ({"name": "a", "max_participants": True}, "max_participants"),
        ({"name": "a", "max_participants": "3"}, "max_participants"),
        ({"name": "a", "empty_timeout_s": 1e99}, "empty_timeout_s"),
        ({"name": "a", "emptyTimeout": 3}, "emptyTimeout"),
    ],
)
async def test_what_is_wrong_is_named(api: aiohttp.ClientSession, body: Any, field: str) -> None:
    status, answer = await call(api, "POST", "/api/rooms", body)
    assert status == 400
    assert answer["error"]["code"] == "invalid_argument"
    assert answer["error"]["field"] == field
    assert answer["error"]["message"]


async def test_a_query_that_can_not_be(api: aiohttp.ClientSession) -> None:
    for query in ({"limit": "0"}, {"limit": "many"}, {"page": "1"}):
        status, answer = await call(api, "GET", "/api/rooms", **query)
        assert (status, answer["error"]["field"]) == (400, next(iter(query)))


async def test_bodies_that_are_no_json_object(api: aiohttp.ClientSession) -> None:
    for body in (b"", b"{", b"[]", b"null", b'"x"', b"\xff"):
        async with api.post("/api/rooms", data=body, headers={"Content-Type": "application/json"}) as answer:
            assert answer.status == 400
    async with api.post("/api/rooms", data=b"name=a", headers={"Content-Type": "text/plain"}) as answer:
        assert answer.status == 400
