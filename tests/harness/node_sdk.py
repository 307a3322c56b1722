"""The stock server SDK for Node, steered over a pipe."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hubbub.web.build import find_node
from tests.harness.npm import install
from tests.harness.server import Server

FOLDER = Path(__file__).resolve().parents[1] / "interop" / "node"
ANSWER_WITHIN_S = 30


class Refused(Exception):
    """What the SDK threw."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(f"{code} {status}: {message}")
        self.code = code
        self.status = status


class NodeSdk:
    """``RoomServiceClient`` in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def call(self, method: str, *args: Any, token: str | None = None) -> Any:
        """What the method resolves to, messages as JSON objects. Bytes go as ``{"bytes": text}``. Raises Refused."""
        line = {"method": method, "args": args} | ({} if token is None else {"token": token})
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        async with asyncio.timeout(ANSWER_WITHIN_S):
            result = json.loads(await self._process.stdout.readline())
        if "error" in result:
            raise Refused(**result["error"])
        return result["answer"]


@asynccontextmanager
async def node_sdk(server: Server) -> AsyncIterator[NodeSdk]:
    """The SDK with the server's API key."""
    install(FOLDER)
    node, _, environment = find_node()
    process = await asyncio.create_subprocess_exec(
        *node,
        str(FOLDER / "room_service.mjs"),
        server.http_url,
        server.api_key,
        server.api_secret,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield NodeSdk(process)
    finally:
        process.kill()
        await process.wait()
