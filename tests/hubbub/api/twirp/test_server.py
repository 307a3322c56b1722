"""The door itself, in front of a service made for the purpose."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio
from livekit.protocol import egress, models, room, sip

from auth import tokens
from auth.grants import Claims, VideoGrant
from auth.keys import KeyRing
from hubbub.api.access import Caller
from hubbub.api.app import build_app, runner_for
from hubbub.api.twirp.server import LARGE_BODY_BYTES, TwirpServer
from hubbub.api.twirp.services import ROOM_SERVICE, UNIMPLEMENTED, Unimplemented
from rooms.errors import RoomFull
from signaling.config import SignalingConfig
from tests.harness.listening import listening

SECRET = "a secret of more than thirty-two characters"


class Half:
    """Some methods of RoomService."""

    async def create_room(self, _by: Caller, request: room.CreateRoomRequest) -> models.Room:
        await asyncio.sleep(float(request.metadata or 0))
        return models.Room(name=request.name)

    def delete_room(self, _by: Caller, _request: room.DeleteRoomRequest) -> room.DeleteRoomResponse:
        raise RoomFull("no place")

    def list_rooms(self, _by: Caller, _request: room.ListRoomsRequest) -> room.ListRoomsResponse:
        raise KeyError("a bug")


class Client:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def post(
        self, path: str, body: object = None, claims: Claims | None = None, **headers: str
    ) -> tuple[int, dict]:
        sent = {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        if claims is not None:
            sent["Authorization"] = "Bearer " + tokens.mint(claims, "key", SECRET, now=time.time())
        data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        async with self.session.post(self.url + path, data=data, headers=sent) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else {
                "text": text
            }


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    server = TwirpServer(KeyRing({"key": SECRET}))
    server.mount(ROOM_SERVICE, Half())
    for descriptor, check in UNIMPLEMENTED:
        server.mount(descriptor, Unimplemented(check))
    runner = runner_for(build_app(server.routes()), SignalingConfig())
    async with listening(runner) as port, aiohttp.ClientSession() as session:
        yield Client(session, f"http://127.0.0.1:{port}")


ROOMS = "/twirp/livekit.RoomService/"


async def test_handlers_may_be_asynchronous(client: Client) -> None:
    status, answer = await client.post(ROOMS + "CreateRoom", {"name": "r"})
    assert (status, answer["name"]) == (200, "r")


async def test_a_doubled_slash_in_front_is_tolerated(client: Client) -> None:
    assert (await client.post("/" + ROOMS + "CreateRoom"))[0] == 200


async def test_errors_of_the_table_have_their_code(client: Client) -> None:
    status, answer = await client.post(ROOMS + "DeleteRoom")
    assert (status, answer) == (503, {"code": "unavailable", "msg": "no place"})


async def test_a_bug_is_internal_and_says_nothing(client: Client) -> None:
    status, answer = await client.post(ROOMS + "ListRooms")
    assert (status, answer) == (500, {"code": "internal", "msg": "internal error"})


async def test_a_client_that_waits_no_longer_is_told(client: Client) -> None:
    status, answer = await client.post(ROOMS + "CreateRoom", {"metadata": "5"}, X_Twirp_Timeout_Ms="20")
    assert (status, answer["code"]) == (408, "deadline_exceeded")


async def test_a_method_without_implementation(client: Client) -> None:
    path = ROOMS + "GetParticipant"
    assert (await client.post(path))[1]["code"] == "unauthenticated"
    status, answer = await client.post(path, claims=Claims(identity="ann"))
    assert (status, answer["code"]) == (501, "unimplemented")


async def test_services_without_implementation_check_the_grant_first(client: Client) -> None:
    everything = Claims(
        video=VideoGrant(room_record=True, ingress_admin=True), services={"sip": {"admin": True}}
    )
    for descriptor, _ in UNIMPLEMENTED:
        path = f"/twirp/{descriptor.full_name}/{descriptor.methods[0].name}"
        assert (await client.post(path))[0] == 401
        status, answer = await client.post(path, claims=everything)
        assert (status, answer["code"]) == (501, "unimplemented")
    joiner = Claims(video=VideoGrant(room_join=True))
    for service in (egress.DESCRIPTOR.services_by_name["Egress"], sip.DESCRIPTOR.services_by_name["SIP"]):
        path = f"/twirp/{service.full_name}/{service.methods[0].name}"
        assert (await client.post(path, claims=joiner))[1]["code"] == "unauthenticated"


async def test_a_large_body_is_decoded_for_administrators_only(client: Client) -> None:
    body = b'{"names": [' + b'"a",' * LARGE_BODY_BYTES + b'"a"]}'
    assert (await client.post(ROOMS + "CreateRoom", body))[0] == 401
    joiner = Claims(identity="ann", video=VideoGrant(room_join=True, room="r"))
    assert (await client.post(ROOMS + "CreateRoom", body, joiner))[0] == 401
    claims = Claims(video=VideoGrant(room_list=True))
    assert (await client.post(ROOMS + "CreateRoom", body, claims))[0] == 200
    assert (await client.post(ROOMS + "CreateRoom", body[:-1], claims))[1]["code"] == "malformed"


async def test_a_body_past_the_limit(client: Client) -> None:
    body = b" " * (10 * 2**20 + 1)
    assert (await client.post(ROOMS + "CreateRoom", body, Claims(identity="ann")))[0] == 413
