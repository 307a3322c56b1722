"""From HTTP to WebSocket over a raw socket."""

import asyncio
import base64
import time

import pytest

from auth.grants import Claims, VideoGrant
from auth.tokens import mint
from tests.harness.http_server import SECRET, serving
from tests.harness.scripted_rooms import ScriptedRooms

TOKEN = mint(
    Claims(identity="u", video=VideoGrant(room_join=True, room="r")), "devkey", SECRET, now=time.time()
)
KEY = base64.b64encode(b"0123456789abcdef").decode()


async def ask(
    port: int, *, key: str = KEY, version: str = "13"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for an upgrade."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = (
        f"GET /rtc?access_token={TOKEN} HTTP/1.1",
        "Host: x",
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Version: {version}",
        f"Sec-WebSocket-Key: {key}",
    )
    writer.write("\r\n".join((*lines, "", "")).encode())
    return reader, writer


async def test_after_the_handshake_the_connection_is_a_websocket() -> None:
    rooms = ScriptedRooms()
    async with serving(rooms) as port:
        reader, writer = await ask(port)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101")
        # Computed as RFC 6455 section 4.2.2 has it.
        assert b"Sec-WebSocket-Accept: BACScCJPNqyz+UBoqMH89VmURoA=" in answer
        writer.write(b"\x82\x01x" + b"\x82\x81\0\0\0\0x")  # not masked: nothing is read after it
        rest = await reader.read()
        assert rest.endswith(b"\x88\x0c\x03\xeanot masked")
        writer.close()
    assert rooms.sessions[0].requests == []
    assert rooms.sessions[0].lost == 1


@pytest.mark.parametrize(
    ("key", "version"),
    [("", "13"), (KEY[:-4], "13"), ("!" * 24, "13"), (KEY, "12"), (KEY, "")],
)
async def test_what_is_no_handshake_gets_no_session(key: str, version: str) -> None:
    rooms = ScriptedRooms()
    async with serving(rooms) as port:
        reader, writer = await ask(port, key=key, version=version)
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()
    assert rooms.sessions == []
