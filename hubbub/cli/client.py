"""What commands that talk to a running server have in common: which server, as whom, and its answers and refusals."""

import json
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from hubbub.errors import ConfigError, HubbubError

from .options import CONFIG_FILE, KEY_FILE, KEYS, config_text, signing_pair

if TYPE_CHECKING:
    from auth.grants import VideoGrant

TIMEOUT_S = 10.0
"""For a whole request: a server that takes longer is as good as not there."""
TOKEN_TTL_S = 60.0
_WEB = {"ws": "http", "wss": "https", "http": "http", "https": "https"}

Command = TypeVar("Command", bound=Callable[..., Any])


class ServerUnreachable(HubbubError):
    """Nobody answers at the URL, or somebody who is no Hubbub."""


class RequestRefused(HubbubError):
    """The server answers, but doesn't do what it was asked."""


class Client:
    """Asks a server on behalf of the holder of an API key. Everything raises ServerUnreachable and RequestRefused."""

    def __init__(self, url: str, key: str, secret: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.url = web_url(url)
        self._key = key
        self._secret = secret
        self._timeout_s = timeout_s

    def room_service(self, method: str, grant: "VideoGrant", **body: object) -> Any:
        """Call a method of RoomService with a token of this grant; returns its JSON."""
        return self._ask("POST", f"/twirp/livekit.RoomService/{method}", self._bearer(grant), body)

    def rest(
        self,
        method: str,
        path: str,
        grant: "VideoGrant",
        *,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """Make a request below ``/api`` with a token of this grant; returns its JSON."""
        return self._ask(method, f"/api/{path}", self._bearer(grant), body, query)

    def _bearer(self, grant: "VideoGrant") -> str:
        import time

        from auth.grants import Claims
        from auth.tokens import mint

        claims = Claims(identity="hubbub-cli", video=grant)
        return f"Bearer {mint(claims, self._key, self._secret, ttl_s=TOKEN_TTL_S, now=time.time())}"

    def _ask(
        self,
        method: str,
        path: str,
        authorization: str,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        import asyncio

        import aiohttp

        async def ask() -> tuple[int, str]:
            timeout = aiohttp.ClientTimeout(total=self._timeout_s)
            headers = {"Authorization": authorization, "Accept": "application/json"}
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=headers, trust_env=True) as session,
                session.request(
                    method, self.url + path, json=body, params=query, allow_redirects=False
                ) as answer,
            ):
                return answer.status, await answer.text(errors="replace")

        try:
            status, text = asyncio.run(ask())
        except TimeoutError:
            raise ServerUnreachable(
                f"the server at {self.url} doesn't answer within {self._timeout_s:g} s"
            ) from None
        except (aiohttp.ClientError, ValueError) as error:
            raise ServerUnreachable(f"there is no server at {self.url}: {_reason(error)}") from None
        return self._read(status, text)

    def _read(self, status: int, text: str) -> Any:
        try:
            answer = json.loads(text) if text else None
        except ValueError:
            answer = text
        if status == 401:
            raise RequestRefused(f"{self.url} refuses the API key {self._key}: {_message(answer) or status}")
        if status >= 400 and _message(answer):
            raise RequestRefused(_message(answer))
        if status >= 300 or isinstance(answer, str):
            raise ServerUnreachable(f"what answers at {self.url} is no Hubbub (HTTP status {status})")
        return answer


def on_server(command: Command) -> Command:
    """A decorator: options that say which server and as whom. The command gets a Client as its first argument."""

    @wraps(command)
    def with_client(
        *arguments: Any,
        url: str | None,
        keys: str | None,
        key_file: str | None,
        config_file: Path | None,
        dev: bool,
        **others: Any,
    ) -> Any:
        key, secret = signing_pair(config_file, keys=keys, key_file=key_file, dev=dev)
        return command(Client(url or _own_url(config_file), key, secret), *arguments, **others)

    decorated: Any = with_client
    for option in reversed(
        (
            click.option(
                "--url",
                metavar="URL",
                envvar=["HUBBUB_URL", "LIVEKIT_URL"],
                help="The server's address; http, https, ws or wss.  [env: HUBBUB_URL, LIVEKIT_URL; "
                "default: this machine, at the configured port]",
            ),
            click.option("--dev", is_flag=True, help="Sign with `devkey`, for `hubbub serve --dev`."),
            KEYS,
            KEY_FILE,
            CONFIG_FILE,
        )
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def web_url(url: str) -> str:
    """The URL for requests, of one that may be for WebSockets. Raises ConfigError for what is none."""
    try:
        parts = urlsplit(url.strip())
        good = parts.scheme in _WEB and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        good = False
    if not good:
        raise ConfigError([f"{url!r} is no server's URL, such as https://example.com or ws://localhost:7880"])
    return f"{_WEB[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}"


def table(rows: list[tuple[str, ...]]) -> str:
    """Columns side by side, each as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    return "\n".join(lines)


def _own_url(config_file: Path | None) -> str:
    import os

    from hubbub.config import load_url

    return load_url(config_text(config_file), env=os.environ)


def _message(answer: Any) -> str:
    """What an error says: Twirp's, REST's, or plain text of one line."""
    if isinstance(answer, str):
        return answer.strip() if len(answer) < 200 and "<" not in answer else ""
    if not isinstance(answer, dict):
        return ""
    inner = answer.get("error", answer)
    if isinstance(inner, str):
        return inner
    if not isinstance(inner, dict):
        return ""
    text = inner.get("msg") or inner.get("message")
    return f"{text} ({inner['code']})" if text and inner.get("code") else str(text or "")


def _reason(error: Exception) -> str:
    import os

    number = getattr(getattr(error, "os_error", None), "errno", None)
    return os.strerror(number) if number and number > 0 else str(error) or type(error).__name__
