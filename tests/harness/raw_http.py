"""HTTP as bytes: requests that no well-behaved client library would send, and answers as they come."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

ANSWER_TIMEOUT_S = 5.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (names in lower case) and body of one HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: str


async def ask(
    port: int, target: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
) -> Answer:
    """One request on a connection of its own. ``target`` goes out as it is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head(target, method=method, headers=headers))
        return await asyncio.wait_for(read_answer(reader, method), ANSWER_TIMEOUT_S)
    finally:
        writer.close()


@asynccontextmanager
async def upgraded(
    port: int, target: str, buffer_bytes: int = 0
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A WebSocket as a connection of bytes; ``buffer_bytes`` is how little the kernel shall take for us."""
    sock = socket.socket()
    if buffer_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 16)
    writer.write(head(target, headers=UPGRADE))
    assert (await read_answer(reader)).status == 101
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def head(target: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> bytes:
    """A request's bytes up to and including the empty line; Host and Connection are filled in."""
    fields = {"Host": "hubbub.test", "Connection": "close"} | dict(headers or {})
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode()


async def read_answer(reader: asyncio.StreamReader, method: str = "GET") -> Answer:
    """Read one answer; of an upgrade only the head."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    status = int(lines[0].split()[1])
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
    }
    length = 0 if method == "HEAD" or status in (101, 204) else int(headers.get("content-length", 0))
    return Answer(status, headers, (await reader.readexactly(length)).decode())


def frame(payload: bytes, *, opcode: int = 2, fin: bool = True, rsv: int = 0, mask: bool = True) -> bytes:
    """One WebSocket frame (RFC 6455 section 5.2), good or bad; masked with zeros."""
    first = (fin << 7) | (rsv << 4) | opcode
    size = len(payload)
    flag = 0x80 if mask else 0
    if size < 126:
        start = bytes([first, flag | size])
    elif size < 65536:
        start = bytes([first, flag | 126]) + size.to_bytes(2, "big")
    else:
        start = bytes([first, flag | 127]) + size.to_bytes(8, "big")
    return start + (bytes(4) if mask else b"") + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Opcode and payload of the server's next frame."""
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    elif size == 127:
        size = int.from_bytes(await reader.readexactly(8), "big")
    return first & 0xF, await reader.readexactly(size)


async def read_close_code(reader: asyncio.StreamReader) -> int:
    """Skip to the server's close frame."""
    while True:
        opcode, payload = await asyncio.wait_for(read_frame(reader), ANSWER_TIMEOUT_S)
        if opcode == 8:
            return int.from_bytes(payload[:2], "big")


def rows(path: str) -> list[dict[str, object]]:
    """Lines of a JSONL file."""
    with open(path) as lines:  # noqa: PTH123
        return [json.loads(line) for line in lines]
