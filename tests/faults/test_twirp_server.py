"""Faults 82, 84 to 86 and 89 against the server API of the whole server, beside a call that must not notice."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from livekit import api

from tests.faults.bystander import Media
from tests.faults.test_jwt_access import forgeries
from tests.faults.test_jwt_server import resigned
from tests.harness.raw_signal import signalling
from tests.harness.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL = {"room_create": True, "room_list": True, "room_admin": True}


class Client:
    """Twirp by hand."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.server = server
        self._session = session

    def token(self, room: str = "", **grants: Any) -> str:
        video = api.VideoGrants(room=room, **(grants or ALL))
        token = api.AccessToken(self.server.api_key, self.server.api_secret).with_identity("x")
        return str(token.with_grants(video).to_jwt())

    async def post(
        self, method: str, body: object, token: str, content_type: str = "application/json"
    ) -> tuple[int, str]:
        """Status and code; an empty code where there is none."""
        headers = {"Content-Type": content_type} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"{self.server.http_url}/twirp/livekit.RoomService/{method}"
        async with self._session.post(url, data=data, headers=headers) as answer:
            text = await answer.text()
            json_answer = answer.content_type == "application/json"
            return answer.status, json.loads(text).get("code", "") if json_answer else ""


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(server, session)


def deep(levels: int) -> bytes:
    return b'{"egress":{"room":{"audio_mixing":' + b"[" * levels + b"]" * levels + b"}}}"


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "an array": b"[]",
    "a number": b"1e999",
    "cut": b'{"name": "x',
    "deep": deep(100_000),
    "deep objects": b'{"egress":' * 50_000,
    "a huge number": b'{"name": "x", "empty_timeout": ' + b"9" * 100_000 + b"}",
    "a negative time-out": b'{"name": "x", "empty_timeout": -1}',
    "half a surrogate pair": b'{"name": "\\ud800"}',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "twice": b'{"name": "x", "name": "y"}',
    "another type": b'{"name": {"x": 1}}',
    "metadata of 1 MiB": json.dumps({"name": "x", "metadata": "m" * 2**20}).encode(),
    "a name of 1 MiB": json.dumps({"name": "n" * 2**20}).encode(),
    "metadata of 600 KiB in escapes": b'{"name": "x", "metadata": "' + b"\\u00e4" * 300_000 + b'"}',
}


async def test_82_bodies_that_are_no_request(media: Media, client: Client) -> None:
    for name, body in BODIES.items():
        status, code = await client.post("CreateRoom", body, client.token())
        assert (status, code) in ((400, "malformed"), (400, "invalid_argument")), name
    for body in (b"\xff" * 1000, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\xff\xfe"):
        status, code = await client.post("CreateRoom", body, client.token(), "application/protobuf")
        assert (status, code) == (400, "malformed")


async def test_82_large_bodies_stall_nobody(media: Media, client: Client) -> None:
    many = b'{"names": [' + b'"a",' * 1_000_000 + b'"a"]}'
    assert (await client.post("ListRooms", many, ""))[0] == 401
    joiner = client.token("r", room_join=True)
    answers = await asyncio.gather(*(client.post("ListRooms", many, joiner) for _ in range(3)))
    assert answers == [(401, "unauthenticated")] * 3
    some = b'{"names": [' + b'"a",' * 20_000 + b'"a"]}'
    assert (await client.post("ListRooms", some, client.token()))[0] == 200
    assert (await client.post("ListRooms", b" " * (11 * 2**20), client.token()))[0] == 413


async def test_82_paths_that_lead_elsewhere(media: Media, client: Client) -> None:
    token = client.token()
    for path in (
        "../../etc/passwd",
        "CreateRoom/",
        "createroom",
        "",
        "CreateRoom%00",
        "a/b",
        "CreateRoom%0d%0aX:1",
    ):
        status, _ = await client.post(path, {}, token)
        assert status == 404, path


async def test_84_and_85_tokens_that_open_no_door(media: Media, client: Client, server: Server) -> None:
    before = server.log_size()
    for name, forgery in forgeries().items():
        token = resigned(server, forgery) if name in ("expired", "not yet valid", "without exp") else forgery
        if any(character in token for character in "\r\n") or len(token) > 8000:
            continue
        status, code = await client.post("ListRooms", {}, token)
        assert (status, code) in ((401, ""), (401, "unauthenticated")), name
    assert server.api_secret not in server.log(before) or server.api_secret == "secret"


@pytest.mark.parametrize(
    "granted", ["*", "", ".*", "%", "R", "r ", "r\0", "r/..", "ｒ"], ids=lambda name: repr(name)
)
async def test_86_a_room_is_administered_by_its_very_name(client: Client, granted: str) -> None:
    token = client.token(granted, room_admin=True)
    for method in ("ListParticipants", "UpdateRoomMetadata", "SendData"):
        assert await client.post(method, {"room": "r"}, token) == (401, "unauthenticated")


async def test_86_names_of_any_text(media: Media, client: Client, room: str) -> None:
    for name in ("🦦" * 100, "../..", "a\nb", "\u202e\0", "'; DROP TABLE rooms; --", room + "\r\nX: y"):
        token = client.token(name, **ALL)
        assert (await client.post("CreateRoom", {"name": name}, token))[0] == 200
        assert await client.post("GetParticipant", {"room": name, "identity": name}, token) == (
            404,
            "not_found",
        )
        assert (await client.post("DeleteRoom", {"room": name}, token))[0] == 200


async def test_89_deleting_a_room_that_people_join(
    media: Media, client: Client, server: Server, room: str
) -> None:
    token = client.token(room)

    async def come_and_go(number: int) -> None:
        async with signalling(server, server.token(room, f"p{number}")) as signal:
            await signal.hears("leave", within_s=5)

    people = [asyncio.create_task(come_and_go(number)) for number in range(20)]
    until = time.monotonic() + 15
    while not all(person.done() for person in people):
        assert time.monotonic() < until
        status, code = await client.post("DeleteRoom", {"room": room}, token)
        assert (status, code) in ((200, ""), (404, "not_found"))
        await asyncio.sleep(0.01)
    await asyncio.gather(*people)
    await client.post("DeleteRoom", {"room": room}, token)
    assert await client.post("DeleteRoom", {"room": room}, token) == (404, "not_found")


async def test_89_removing_somebody_twice(media: Media, client: Client, server: Server, room: str) -> None:
    token = client.token(room)
    who = {"room": room, "identity": "bob"}
    async with signalling(server, server.token(room, "bob")) as signal:
        await signal.hears("join")
        answers = await asyncio.gather(*(client.post("RemoveParticipant", who, token) for _ in range(5)))
        assert sorted(answers) == [(200, "")] + [(404, "not_found")] * 4
        await signal.hears("leave")
    for method in ("UpdateParticipant", "MutePublishedTrack", "UpdateSubscriptions"):
        assert await client.post(method, who, token) == (404, "not_found")


async def test_89_many_at_once_make_one_room(media: Media, client: Client, room: str) -> None:
    token = client.token(room)
    answers = await asyncio.gather(
        *(client.post("CreateRoom", {"name": room, "metadata": str(n)}, token) for n in range(50))
    )
    assert {status for status, _ in answers} == {200}
    async with aiohttp.ClientSession() as session:
        url = f"{client.server.http_url}/twirp/livekit.RoomService/ListRooms"
        headers = {"Authorization": f"Bearer {token}"}
        async with session.post(url, json={"names": [room] * 1000}, headers=headers) as answer:
            assert len((await answer.json())["rooms"]) == 1


async def test_89_a_thousand_rooms_are_listed(media: Media, client: Client, room: str) -> None:
    token = client.token()
    names = [f"{room}-{number}" for number in range(1000)]
    for start in range(0, 1000, 50):
        await asyncio.gather(
            *(
                client.post("CreateRoom", {"name": name, "empty_timeout": 5}, token)
                for name in names[start : start + 50]
            )
        )
    assert (await client.post("ListRooms", {}, token))[0] == 200
    for start in range(0, 1000, 50):
        await asyncio.gather(
            *(client.post("DeleteRoom", {"room": name}, token) for name in names[start : start + 50])
        )
