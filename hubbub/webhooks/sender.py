"""One POST to a receiver, and what came of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self

import aiohttp

from auth import tokens
from auth.errors import UnknownKey
from auth.keys import KeyRing

from .config import WebhookConfig, WebhookTarget

CONTENT_TYPE = "application/webhook+json"
USER_AGENT = "LiveKit"
"""What receivers may look for."""
MAX_ANSWER_BYTES = 64 * 1024
"""More of an answer is not read, and its connection not used again."""
WORTH_RETRYING = frozenset({408, 409, 421, 425, 429})
"""Refusals that another try may overcome; every 5xx but 501 (Not Implemented) is one too."""


class Fate(Enum):
    """What a try came to."""

    DELIVERED = auto()
    RETRY = auto()
    REFUSED = auto()
    """The receiver will not take it however often it is tried."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One try."""

    fate: Fate
    status: int | None = None
    error: str = ""
    retry_after_s: float = 0.0
    """What the receiver asks for; 0 where it doesn't."""


class Sender:
    """The connections to one target. Redirects are not followed, and no proxy of the environment is used."""

    def __init__(
        self, target: WebhookTarget, keys: KeyRing, wall: Callable[[], float], config: WebhookConfig
    ) -> None:
        self._target = target
        self._keys = keys
        self._wall = wall
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=config.max_connections),
            timeout=aiohttp.ClientTimeout(total=config.timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def send(self, body: str) -> Outcome:
        """Try once. Whatever goes wrong is an outcome."""
        data = body.encode()
        try:
            key, secret = self._signer()
        except UnknownKey:
            return Outcome(
                Fate.RETRY, error=f"API key {self._target.api_key or '(any)'} is not there to sign"
            )
        headers = {
            "Authorization": tokens.mint_for_body(data, key, secret, now=self._wall()),
            "Content-Type": CONTENT_TYPE,
            "User-Agent": USER_AGENT,
        }
        try:
            async with self._session.post(
                self._target.url, data=data, headers=headers, allow_redirects=False
            ) as answer:
                outcome = _judged(answer)
                try:
                    await answer.content.readexactly(MAX_ANSWER_BYTES)
                except asyncio.IncompleteReadError:
                    return outcome  # All of it, and the connection can be used again.
                answer.close()
                return outcome
        except TimeoutError:
            return Outcome(Fate.RETRY, error="no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(Fate.RETRY, error=_reason(error))

    def _signer(self) -> tuple[str, str]:
        key = self._target.api_key
        return (key, self._keys.secret(key)) if key else self._keys.first()

    async def close(self) -> None:
        """Drop the connections."""
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _judged(answer: aiohttp.ClientResponse) -> Outcome:
    status = answer.status
    if 200 <= status < 300:
        return Outcome(Fate.DELIVERED, status)
    if status in WORTH_RETRYING or (status >= 500 and status != 501):
        after_s = _seconds(answer.headers.get("Retry-After", ""))
        return Outcome(Fate.RETRY, status, f"answered {status}", after_s)
    redirect = "; redirects are not followed" if 300 <= status < 400 else ""
    return Outcome(Fate.REFUSED, status, f"answered {status}{redirect}")


def _seconds(text: str) -> float:
    """Retry-After in seconds; a date there counts as nothing said."""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0.0


def _reason(error: Exception) -> str:
    """Without the URL, whose query may hold a secret."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "the receiver's TLS certificate or handshake is not acceptable"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the receiver's name is not known"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"can't connect: {error.os_error.strerror or type(error.os_error).__name__}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the receiver closed the connection without an answer"
    return type(error).__name__
