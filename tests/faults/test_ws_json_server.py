"""Faults 78 to 81 and 84 to 86 at the JSON door of the whole server, while others are in a call."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest

from tests.faults.bystander import Media
from tests.faults.test_jwt_access import forgeries
from tests.faults.test_jwt_server import resigned
from tests.faults.test_ws_frame import BAD_FRAMES
from tests.harness.raw_http import (
    UPGRADE,
    ask,
    frame,
    read_close_code,
    read_frame,
    upgraded,
)
from tests.harness.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 1024 * 1024
ANSWERED = ("bytes that are no message", "text that is no message")
"""What ends no connection here: it is told what is wrong."""


class Client:
    """A connection of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def says(self, kind: str, /, **fields: Any) -> None:
        self.writer.write(frame(json.dumps({"type": kind, **fields}).encode(), opcode=1))

    async def hears(self, kind: str, /, **fields: Any) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while True:
                opcode, payload = await read_frame(self.reader)
                assert opcode in (1, 9), payload
                if opcode == 1:
                    message: dict[str, Any] = json.loads(payload)
                    if message["type"] == kind and fields.items() <= message.items():
                        return message


@asynccontextmanager
async def connected(server: Server, token: str, buffer_bytes: int = 0) -> AsyncIterator[Client]:
    async with upgraded(server.port, f"/ws?token={token}", buffer_bytes) as streams:
        yield Client(*streams)


@asynccontextmanager
async def joined(server: Server, room: str, identity: str, **options: Any) -> AsyncIterator[Client]:
    async with connected(server, server.token(room, identity), **options) as client:
        client.says("join_room")
        await client.hears("room_joined")
        yield client


async def test_78_handshakes_that_lead_nowhere(media: Media, server: Server, room: str) -> None:
    token = server.token(room, "guest")
    before = server.log_size()
    for headers in ({}, UPGRADE | {"Sec-WebSocket-Key": ""}, UPGRADE | {"Sec-WebSocket-Version": "7"}):
        answer = await ask(server.port, f"/ws?token={token}", headers=headers)
        assert 400 <= answer.status < 500
    assert server.log_size() == before
    silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(50)]
    async with joined(server, room, "patient") as client:
        client.says("ping")
        await client.hears("pong")
    for _, writer in silent:
        writer.close()


@pytest.mark.parametrize("name", [name for name in BAD_FRAMES if name not in ANSWERED])
async def test_79_frames_that_break_the_protocol(media: Media, server: Server, room: str, name: str) -> None:
    data, code = BAD_FRAMES[name]
    async with joined(server, room, "guest") as client:
        client.writer.write(data)
        assert await read_close_code(client.reader) == code


async def test_79_messages_without_end(media: Media, server: Server, room: str) -> None:
    async with joined(server, room, "guest") as client:
        client.writer.write(frame(b"x" * 1024, opcode=1, fin=False))
        with contextlib.suppress(ConnectionError):
            for _ in range(2 * LIMIT // (1 << 16)):
                client.writer.write(frame(b"x" * (1 << 16), opcode=0, fin=False))
                await client.writer.drain()
        assert await read_close_code(client.reader) == 1009


async def test_79_what_is_no_request_is_answered(media: Media, server: Server, room: str) -> None:
    async with joined(server, room, "guest") as client:
        for payload, code in (
            (b"{", "bad_request"),
            (b"[[]]", "bad_request"),
            (b'{"type": 7}', "unknown_type"),
            (b'{"type": "fly", "id": 1}', "unknown_type"),
            (b'{"type": "ping", "wings": 2}', "bad_request"),
            (b'{"type": "ping", "id": 1e999}', "bad_request"),
            (b'{"type": "ping", "id": "' + b"x" * 65 + b'"}', "bad_request"),
            (b'{"type": "publish_track", "kind": "\\ud800"}', "bad_request"),
            (b'{"type": "update_metadata", "metadata": "\\ud800"}', "bad_request"),
            (b'{"a":' * 50_000, "bad_request"),
        ):
            client.writer.write(frame(payload, opcode=1))
            assert (await client.hears("error"))["code"] == code, payload[:60]
        client.writer.write(frame(b"\xff" * 20))
        assert (await client.hears("error"))["code"] == "bad_request"
        client.says("ping", id=2)
        await client.hears("pong", id=2)


async def test_79_floods_of_messages(media: Media, server: Server, room: str) -> None:
    """Of one who reads: each is answered, in its turn with everybody else's."""
    async with joined(server, room, "guest") as guest, joined(server, room, "other") as other:
        for number in range(2000):
            guest.says("ping", id=number)
            guest.says("fly")
            if number % 100 == 0:
                await guest.hears("pong", id=number)
        other.says("ping", id="other")
        await other.hears("pong", id="other")
        await guest.hears("pong", id=1999)


async def test_80_two_of_one_identity_and_one_that_vanishes(media: Media, server: Server, room: str) -> None:
    async with joined(server, room, "twin") as first:
        async with joined(server, room, "twin") as second:
            assert (await first.hears("room_left"))["reason"] == "duplicate_identity"
            async with joined(server, room, "other") as other:
                second.writer.transport.abort()
                assert (await other.hears("participant_left"))["identity"] == "twin"
        first.says("join_room")
        await first.hears("room_joined")


async def test_81_one_who_does_not_read_while_the_room_is_busy(
    media: Media, server: Server, room: str
) -> None:
    """Closed with a code once its queue is full; everybody else gets everything."""
    async with (
        joined(server, room, "stuck", buffer_bytes=4096) as stuck,
        joined(server, room, "reader") as reads,
        joined(server, room, "busy") as busy,
    ):
        stuck.reader._transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(1500):
            busy.says("send_data", data=f"{number} " + "x" * 8000, id=number)
            if number % 20 == 0:
                await busy.hears("done", id=number)
                await reads.hears("data", data=f"{number} " + "x" * 8000)
        left = asyncio.ensure_future(reads.hears("participant_left"))
        await asyncio.sleep(0)
        stuck.reader._transport.resume_reading()  # type: ignore[attr-defined]
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            assert await read_close_code(stuck.reader) == 1013
        assert (await left)["identity"] == "stuck"
        busy.says("ping")
        await busy.hears("pong")
    media.stays_small(16 << 20)


async def test_84_and_85_tokens_that_open_no_door(media: Media, server: Server, room: str) -> None:
    for name, forgery in forgeries().items():
        text = resigned(server, forgery) if name in ("expired", "not yet valid", "without exp") else forgery
        answer = await ask(server.port, f"/ws?token={quote(text)}", headers=UPGRADE)
        assert 400 <= answer.status < 500, name
    async with connected(server, server.token(room, "guest")) as client:
        client.says("join_room", token="a.b.c")
        assert (await client.hears("error"))["code"] == "not_allowed"
        client.says("join_room", room_id="another")
        assert (await client.hears("error"))["code"] == "not_allowed"
        client.says("join_room", id=1)
        await client.hears("room_joined", id=1)


async def test_86_grants_hold(media: Media, server: Server, room: str) -> None:
    token = server.token(room, "listener", can_publish=False, can_publish_data=False)
    async with connected(server, token) as client:
        client.says("join_room")
        await client.hears("room_joined")
        for kind, fields in (
            ("publish_track", {"kind": "audio", "cid": "c"}),
            ("send_data", {"data": "x"}),
            ("update_metadata", {"attributes": {"hubbub.role": "host"}}),
            ("mute_all", {}),
            ("end", {}),
        ):
            client.says(kind, id=kind, **fields)
            assert (await client.hears("error", id=kind))["code"] == "not_allowed", kind
