"""The WebSocket of one client: LiveKit's SignalRequest and SignalResponse in binary frames."""

import base64
from collections.abc import AsyncIterator
from typing import Self

import aiohttp
from google.protobuf.message import DecodeError
from livekit.protocol import rtc
from yarl import URL

from hubbub.load.errors import JoinError, ServerRefused

PATH = "rtc/v1"
TIMEOUT_S = 20.0
"""For the upgrade; a loaded server may take its time, nobody waits longer."""

_READ = frozenset(
    name.encode()
    for name in (
        "join", "answer", "trickle", "track_published", "leave", "request_response", "media_sections_requirement",
    )
)  # fmt: skip
_FIELDS = rtc.SignalResponse.DESCRIPTOR.fields_by_name
_TAGS = frozenset(_FIELDS[name.decode()].number << 3 | 2 for name in _READ)
"""First bytes of the messages that matter here: the rest, such as everybody's updates, isn't even parsed."""


class Signal:
    """An open connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    @classmethod
    async def open(cls, http: aiohttp.ClientSession, url: str, token: str, request: rtc.JoinRequest) -> Self:
        """Connect to ``/rtc/v1``. Raises ServerRefused, or JoinError for what may be different next time."""
        wrapped = rtc.WrappedJoinRequest(join_request=request.SerializeToString())
        query = {"join_request": base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()}
        headers = {"Authorization": f"Bearer {token}"}
        address = _address(url)
        try:
            socket = await http.ws_connect(
                address.with_query(query), headers=headers, max_msg_size=0, autoping=True
            )
        except aiohttp.WSServerHandshakeError as error:
            said = await _explanation(http, address / "validate", query, headers)
            raise _refusal(url, error.status, said) from None
        except aiohttp.ClientConnectorError as error:
            raise ServerRefused(f"{url} can't be reached: {error.strerror or error}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise JoinError(f"connecting to {url} failed: {error or type(error).__name__}") from None
        return cls(socket)

    async def send(self, request: rtc.SignalRequest) -> None:
        """Send one message; a connection that is closed loses it."""
        if not self._socket.closed:
            try:
                await self._socket.send_bytes(request.SerializeToString())
            except (ConnectionError, aiohttp.ClientError):
                return

    async def messages(self) -> AsyncIterator[rtc.SignalResponse]:
        """What the server says and this client cares for, until the connection ends."""
        async for frame in self._socket:
            if frame.type is not aiohttp.WSMsgType.BINARY or not frame.data:
                continue
            tag = (
                frame.data[0]
                if frame.data[0] < 0x80 or len(frame.data) < 2
                else (frame.data[0] & 0x7F | frame.data[1] << 7)
            )
            if tag not in _TAGS:
                continue
            try:
                yield rtc.SignalResponse.FromString(frame.data)
            except DecodeError:
                raise JoinError("the server sent what is no SignalResponse") from None

    async def close(self) -> None:
        await self._socket.close()


def _address(url: str) -> URL:
    """Where to connect; WebSockets are opened by http:// addresses too, validation only by those."""
    parsed = URL(url)
    return parsed.with_scheme({"ws": "http", "wss": "https"}.get(parsed.scheme, parsed.scheme)) / PATH


async def _explanation(
    http: aiohttp.ClientSession, address: URL, query: dict[str, str], headers: dict[str, str]
) -> str:
    """Ask for the reason of a refusal; a failed upgrade doesn't carry it."""
    try:
        async with http.get(address.with_query(query), headers=headers) as answer:
            if answer.status == 200:
                return ""
            return (await answer.text()).strip()[:200]
    except (aiohttp.ClientError, TimeoutError, OSError, UnicodeDecodeError):
        return ""


def _refusal(url: str, status: int, said: str) -> JoinError:
    detail = f": {said}" if said else ""
    match status:
        case 401 | 403:
            hint = "check --api-key and --api-secret"
            return ServerRefused(f"{url} refused the token with status {status}{detail} ({hint})")
        case 404:
            return ServerRefused(
                f"{url} has no /{PATH}: it is no LiveKit-compatible server, or one that is older than that path"
            )
        case _:
            return JoinError(f"{url} answered with status {status}{detail}")
