"""A bare signalling client, a WebSocket and protobuf without media: for refusals, framing and odd clients."""

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from google.protobuf import json_format
from livekit.protocol import models, rtc

from tests.harness.eventually import eventually
from tests.harness.server import Server

Anything = Callable[..., object]

TEXT, BINARY = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY

V0 = "/rtc"
V1 = "/rtc/v1"
LIKE_JS = {"protocol": "17", "sdk": "js", "version": "2.23.0", "auto_subscribe": "1"}
"""Query parameters of ``/rtc`` as livekit-client sends them."""
JS_INFO = models.ClientInfo(sdk=models.ClientInfo.JS, version="2.23.0", protocol=17)


@dataclass(frozen=True)
class Frame:
    """One SignalResponse, and whether it came as text."""

    kind: str
    """Name of the field that is set."""
    value: Any
    is_text: bool


class RawSignal:
    """An open signalling WebSocket; everything that comes is kept in ``frames``, in order."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.close_code: int | None = None
        """What the server's close frame said; None while open, or when the connection just broke."""
        self.frames: list[Frame] = []
        self.arriving: asyncio.Queue[Frame] = asyncio.Queue()
        """The same frames, for one reader that acts on each."""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while (message := await self.socket.receive()).type in (TEXT, BINARY):
            if message.type is TEXT:
                response = json_format.Parse(message.data, rtc.SignalResponse())
            else:
                response = rtc.SignalResponse.FromString(message.data)
            kind = response.WhichOneof("message") or ""
            self.frames.append(Frame(kind, getattr(response, kind, None), message.type is TEXT))
            self.arriving.put_nowait(self.frames[-1])
        if message.type is aiohttp.WSMsgType.CLOSE:
            self.close_code = message.data

    async def send(self, **message: Any) -> None:
        """Send a SignalRequest with that field set, as in ``send(ping=1)``."""
        await self.socket.send_bytes(rtc.SignalRequest(**message).SerializeToString())

    async def send_text(self, text: str) -> None:
        await self.socket.send_str(text)

    def heard(self, kind: str, where: Anything = lambda value: True) -> list[Any]:
        """Every message of that kind so far for which ``where`` holds."""
        return [frame.value for frame in self.frames if frame.kind == kind and where(frame.value)]

    async def hears(self, kind: str, where: Anything = lambda value: True, *, within_s: float = 5) -> Any:
        """Wait for the first such message, past ones included."""

        def missing() -> str:
            return (
                f"{kind} among {[frame.kind for frame in self.frames]}, close code {self.socket.close_code}"
            )

        return (await eventually(lambda: self.heard(kind, where), missing, within_s=within_s))[0]

    async def learns(self, identity: str, where: Anything = lambda info: True, *, within_s: float = 5) -> Any:
        """Wait for an ``update`` with a ParticipantInfo of ``identity`` for which ``where`` holds."""

        def told() -> list[Any]:
            infos = [info for update in self.heard("update") for info in update.participants]
            return [info for info in infos if info.identity == identity and where(info)]

        return (await eventually(told, f"an update about {identity}", within_s=within_s))[0]

    async def ends(self, *, within_s: float = 5) -> int | None:
        """Wait until the connection has ended; the ``close_code``."""
        await asyncio.wait_for(asyncio.shield(self._reading), within_s)
        return self.close_code

    async def drop(self) -> None:
        """Lose the connection without a closing handshake."""
        connection = self.socket._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.abort()
        await self.close()

    async def close(self) -> None:
        """Close without a ``leave``, like a client that goes away."""
        await self.socket.close()
        await asyncio.gather(self._reading, return_exceptions=True)


def join_parameters(request: rtc.JoinRequest | None = None, *, compressed: bool = True) -> dict[str, str]:
    """The query of ``/rtc/v1`` for that JoinRequest; its client_info is livekit-client's if it has none."""
    whole = rtc.JoinRequest(client_info=JS_INFO, connection_settings={"auto_subscribe": True})
    whole.MergeFrom(request or rtc.JoinRequest())
    inner = whole.SerializeToString()
    wrapped = rtc.WrappedJoinRequest(
        compression=rtc.WrappedJoinRequest.GZIP if compressed else rtc.WrappedJoinRequest.NONE,
        join_request=gzip.compress(inner) if compressed else inner,
    )
    return {"join_request": base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()}


@asynccontextmanager
async def signalling(
    server: Server, token: str, path: str = V0, parameters: Mapping[str, str] | None = None
) -> AsyncIterator[RawSignal]:
    """A WebSocket to ``path``. Raises aiohttp.WSServerHandshakeError when the upgrade is refused."""
    query = {"access_token": token} | dict(LIKE_JS if parameters is None else parameters)
    async with aiohttp.ClientSession() as session:
        signal = RawSignal(
            await session.ws_connect(server.url + path, params=query, max_msg_size=0, autoclose=False)
        )
        try:
            yield signal
        finally:
            await signal.close()


async def get(
    server: Server,
    path: str,
    parameters: Mapping[str, str] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    upgrade: bool = False,
) -> tuple[int, str, Mapping[str, str]]:
    """Status, body and headers of a plain GET; of a refused upgrade if ``upgrade``."""
    sent = dict(headers or {})
    if upgrade:
        key = base64.b64encode(bytes(16)).decode()
        sent |= {"Connection": "Upgrade", "Upgrade": "websocket"}
        sent |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
    async with (
        aiohttp.ClientSession() as session,
        session.get(server.http_url + path, params=parameters, headers=sent) as answer,
    ):
        return answer.status, await answer.text(), answer.headers
