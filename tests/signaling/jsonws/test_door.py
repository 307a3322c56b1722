"""The JSON door of a real server, spoken to by hand."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from livekit.protocol import models

from auth import tokens
from auth.grants import Claims, VideoGrant
from hubbub import Server
from hubbub.config import configure
from hubbub.hooks import Hooks
from tests.harness.eventually import PATIENCE_S

KEY, SECRET = "devkey", "secret"
TENANT, STRANGER = ("tenant", "s" * 32), ("stranger", "s" * 32)
OPTIONS = {
    "development": True,
    "port": 0,
    "rtc.udp_port": 0,
    "rtc.tcp_port": 0,
    "signal.json_max_rooms": 2,
    "signal.json_max_tracks": 2,
    "signal.json_max_message_bytes": 20_000,
}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(configure(OPTIONS)) as running:
        yield running


def token(
    identity: str,
    room: str = "kitchen",
    role: str = "",
    *,
    key: tuple[str, str] = (KEY, SECRET),
    **grant: Any,
) -> str:
    video = VideoGrant(room_join=True, room=room, **grant)
    attributes = {"hubbub.role": role} if role else {}
    claims = Claims(identity=identity, video=video, attributes=attributes)
    return tokens.mint(claims, *key, now=time.time())


class Client:
    """One connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []
        self._number = 0

    async def hears(self, kind: str, /, **fields: Any) -> dict[str, Any]:
        """The next message of this kind with these fields."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = json.loads(await self.socket.receive_str())
                self.heard.append(message)
                if message["type"] == kind and fields.items() <= message.items():
                    return dict(message)

    async def says(self, kind: str, /, **fields: Any) -> None:
        await self.socket.send_json({"type": kind, **fields})

    async def asks(self, kind: str, answer: str = "done", /, **fields: Any) -> dict[str, Any]:
        """A request, and its answer."""
        self._number += 1
        await self.says(kind, id=self._number, **fields)
        return await self.hears(answer, id=self._number)

    async def fails(self, kind: str, /, **fields: Any) -> str:
        """The code of the error that a request gets."""
        return str((await self.asks(kind, "error", **fields))["code"])


@asynccontextmanager
async def connected(server: Server, access_token: str) -> AsyncIterator[Client]:
    url = f"{server.url}ws?token={access_token}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        yield Client(socket)


@asynccontextmanager
async def joined(server: Server, identity: str, **options: Any) -> AsyncIterator[Client]:
    async with connected(server, token(identity, **options)) as client:
        await client.asks("join_room", "room_joined")
        yield client


@pytest.mark.parametrize("query", ["", "?token=", "?token=nonsense", "?token=a.b.c"])
async def test_without_a_good_token_nobody_connects(server: Server, query: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{server.url}ws{query}")
        assert refused.value.status == 401
        async with session.get(f"{server.url}ws?token={token('ann')}") as answer:
            assert answer.status == 404


async def test_people_meet_change_and_leave(server: Server) -> None:
    async with joined(server, "ann", can_update_own_metadata=True) as ann:
        assert ann.heard[0]["room"]["room_id"] == "kitchen"
        assert ann.heard[0]["participant"]["identity"] == "ann"
        async with joined(server, "ben") as ben:
            assert [one["identity"] for one in ben.heard[0]["participants"]] == ["ann"]
            came = await ann.hears("participant_joined")
            assert came["participant"]["identity"] == "ben"
            await ann.asks("update_metadata", name="Ann", attributes={"mood": "good"})
            changed = await ben.hears("participant_updated")
            assert (changed["participant"]["name"], changed["room_id"]) == ("Ann", "kitchen")
            assert await ben.fails("update_metadata", name="Ben") == "not_allowed"
            left = await ben.asks("leave_room", "room_left")
            assert left["reason"] == "client_initiated"
            assert (await ann.hears("participant_left"))["identity"] == "ben"
            assert await ben.fails("offer", sdp="v=0") == "not_joined"
            await ben.asks("join_room", "room_joined")
        assert (await ann.hears("participant_left"))["identity"] == "ben", (
            "the connection is gone, and so is he"
        )


async def test_data_goes_to_all_or_some(server: Server) -> None:
    async with joined(server, "ann") as ann, joined(server, "ben") as ben, joined(server, "eve") as eve:
        await ann.asks("send_data", data="for ben", to=["ben"])
        await ann.asks("send_data", data="/wA=", encoding="base64", topic="t")
        first = await ben.hears("data")
        assert (first["from"], first["data"], first["encoding"]) == ("ann", "for ben", "text")
        for client in (ben, eve):
            got = await client.hears("data")
            assert (got["data"], got["encoding"], got["topic"]) == ("/wA=", "base64", "t")
        assert await ann.fails("send_data", data="no base64", encoding="base64") == "bad_request"
    async with joined(server, "mute", can_publish_data=False) as mute:
        assert await mute.fails("send_data", data="x") == "not_allowed"


async def test_hosts_run_the_call(server: Server) -> None:
    async with joined(server, "host", role="host") as host, joined(server, "ann", role="speaker") as ann:
        assert await ann.fails("lock") == "not_allowed"
        assert (await host.asks("lock"))["request"] == "lock"
        assert json.loads((await ann.hears("data", topic="hubbub.control"))["data"]) == {"event": "locked"}
        async with connected(server, token("late")) as late:
            refused = await late.asks("join_room", "error")
            assert (refused["code"], refused["message"]) == ("refused", "the room is locked")
        assert await host.fails("remove", identity="nobody") == "not_found"
        await host.asks("remove", identity="ann")
        assert (await ann.hears("room_left"))["reason"] == "participant_removed"
        assert await ann.fails("join_room") == "refused"


async def test_a_role_acts_from_the_join_on(server: Server) -> None:
    async with connected(server, token("host", role="host")) as host:
        joined_as = await host.asks("join_room", "room_joined", metadata="m", attributes={"mood": "good"})
        assert joined_as["participant"]["metadata"] == "m"
    own = token("speaker", role="speaker", can_update_own_metadata=True)
    async with connected(server, own) as speaker:
        assert await speaker.fails("join_room", metadata="m") == "not_allowed"


async def test_several_rooms(server: Server) -> None:
    async with joined(server, "ann") as ann, joined(server, "ben", room="garden") as ben:
        assert await ann.fails("join_room", room_id="garden") == "not_allowed"
        assert await ann.fails("join_room") == "already_joined"
        await ann.asks("join_room", "room_joined", token=token("ann", "garden"))
        assert await ann.fails("send_data", data="where?") == "bad_request"
        await ann.asks("send_data", data="here", room_id="garden")
        assert (await ben.hears("data"))["data"] == "here"
        assert await ann.fails("join_room", token=token("ann", "attic")) == "limit_exceeded"
        assert await ann.fails("join_room", token="nonsense") == "not_allowed"
        await ann.asks("set_bandwidth_share", room_id="garden", share=0.2)
        await ann.asks("leave_room", "room_left", room_id="garden")
        await ann.asks("send_data", data="only one room left")


class Tenants(Hooks):
    """Know the key of one tenant, after some time."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()

    async def find_secret(self, api_key: str) -> str | None:
        self.asked.append(api_key)
        await self.may_answer.wait()
        return TENANT[1] if api_key == TENANT[0] else None


async def test_keys_of_tokens_within_messages_are_asked_for_too() -> None:
    hooks = Tenants()
    async with (
        Server(configure(OPTIONS), hooks=hooks) as server,
        connected(server, token("ann")) as client,
    ):
        for number, key in enumerate((TENANT, STRANGER, ("third", "t" * 32))):
            await client.says("join_room", id=str(number), token=token("ann", f"room-{number}", key=key))
        assert (await client.hears("error", id="2"))["code"] == "limit_exceeded"  # two wait already
        await client.asks("ping", "pong")  # which holds nothing else up
        hooks.may_answer.set()
        assert (await client.hears("error", id="1"))["code"] == "not_allowed"
        assert (await client.hears("room_joined", id="0"))["room_id"] == "room-0"
        await client.asks("join_room", "room_joined", token=token("ann"))
        assert hooks.asked == [TENANT[0], STRANGER[0]]


async def test_one_who_does_not_read_is_closed_with_a_code(server: Server) -> None:
    async with joined(server, "stuck") as stuck, joined(server, "ann") as ann:
        for _ in range(1001):
            server.administration.send_data("kitchen", models.UserPacket(payload=b"x"), identities=["stuck"])
        async with asyncio.timeout(PATIENCE_S):
            while (closed := await stuck.socket.receive()).type is not aiohttp.WSMsgType.CLOSE:
                pass
        assert (closed.data, closed.extra) == (1013, "send queue full")
        assert (await ann.hears("participant_left"))["identity"] == "stuck"


async def test_tracks_are_limited_and_announced(server: Server) -> None:
    async with joined(server, "ann") as ann:
        published = await ann.asks("publish_track", "track_published", kind="video", cid="c1")
        assert published["track_id"].startswith("TR_")
        assert (published["publisher"], published["track"]["source"]) == ("ann", "camera")
        await ann.says("publish_track", kind="audio")
        assert await ann.fails("publish_track", kind="audio") == "limit_exceeded"
        await ann.asks("unpublish_track", "track_unpublished", track_id=published["track_id"])
        assert await ann.fails("unpublish_track", track_id=published["track_id"]) == "not_found"
        assert await ann.fails("mute_track", track_id="TR_none", muted=True) == "not_found"
    async with joined(server, "eve", can_publish=False) as eve:
        assert await eve.fails("publish_track", kind="audio", cid="c1") == "not_allowed"


async def test_what_is_no_request_is_answered_and_forgiven(server: Server) -> None:
    async with connected(server, token("ann")) as client:
        for text, code in (
            ("nonsense", "bad_request"),
            ("[]", "bad_request"),
            ('{"type": "fly"}', "unknown_type"),
            ('{"type": "offer", "sdp": "v=0"}', "not_joined"),
            ("[" * 10_000, "bad_request"),
        ):
            await client.socket.send_str(text)
            assert (await client.hears("error"))["code"] == code
        await client.socket.send_bytes(b"\x00\x01")
        assert (await client.hears("error"))["code"] == "bad_request"
        assert (await client.asks("ping", "pong"))["time_ms"] > 0
        await client.asks("join_room", "room_joined")
        assert await client.fails("answer", sdp="v=0") == "bad_request"
        await client.says("offer", sdp="garbage")
        left = await client.hears("room_left")
        assert (left["reason"], left["rejoin"]) == ("state_mismatch", True)
        await client.asks("join_room", "room_joined")


async def test_a_message_that_is_too_long_ends_the_connection(server: Server) -> None:
    async with connected(server, token("ann")) as client:
        await client.socket.send_str("x" * 20_001)
        async with asyncio.timeout(PATIENCE_S):
            closed = await client.socket.receive()
        assert closed.type is aiohttp.WSMsgType.CLOSE
        assert closed.data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_a_flood_hinders_nobody_else(server: Server) -> None:
    async with joined(server, "flood") as flood, joined(server, "ann") as ann, joined(server, "ben") as ben:
        for _ in range(5_000):
            await flood.socket.send_str('{"type": "nonsense"}')
        await ann.asks("send_data", data="still here")
        assert (await ben.hears("data"))["data"] == "still here"


async def test_who_leaves_in_the_middle_of_a_join_leaves_nothing(server: Server) -> None:
    for _ in range(20):
        async with connected(server, token("ann")) as client:
            await client.says("join_room")
    async with asyncio.timeout(PATIENCE_S):
        while server.administration.list_participants("kitchen"):
            await asyncio.sleep(0.02)
