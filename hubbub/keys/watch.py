"""Keeps a key ring up to date with the key file, the database, and whoever is asked for keys nobody knows."""

import asyncio
import base64
import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from auth.errors import InvalidKeyFile
from auth.keys import MIN_SECRET_CHARS, OWN, KeyRing
from auth.tokens import issuer_of
from hubbub.config.keys import key_file_path, read_key_file
from hubbub.database import DatabaseError
from signaling.access import BEARER

from .table import KeyTable

log = structlog.get_logger(__name__)

FindSecret = Callable[[str], Awaitable[str | None]]
"""The secret of an API key, None for one that it doesn't know either."""

DATABASE, CALLBACK = "database", "callback"
BASIC = "basic "
FOUND_S = 60.0
"""How long an answer of the callback is believed ..."""
MISSED_S = 5.0
"""... and how long it isn't asked again about a key that it didn't know."""
MAX_ANSWERS = 10_000
"""Answers remembered; anybody may send tokens that name any key."""


class KeyWatch:
    """Looks for changes every few seconds, and runs as long as the server does."""

    def __init__(
        self,
        ring: KeyRing,
        table: KeyTable,
        *,
        key_file: str = "",
        interval_s: float = 2.0,
        find_secret: FindSecret | None = None,
    ) -> None:
        self._ring = ring
        self._table = table
        self._key_file = key_file
        self._interval_s = interval_s
        self._find_secret = find_secret
        self._file_state = self._look_at_file()
        self._task: asyncio.Task[None] | None = None
        self._answers: OrderedDict[str, tuple[float, str | None]] = OrderedDict()
        """Until when the callback's answer about a key is believed."""

    async def start(self) -> None:
        """Read the database, and go on watching."""
        await self.refresh()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Watch no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def refresh(self) -> None:
        """Look at the file and the database now. What can't be read leaves the keys as they were."""
        state = self._look_at_file()
        if state != self._file_state:
            self._file_state = state
            self._read_file()
        try:
            rows = await self._table.all()
        except DatabaseError as error:
            log.error("API keys in the database can't be read", error=str(error))
            return
        now = time.time()
        keys = {row.key: row.secrets(now) for row in rows}
        if keys != self._ring.layer(DATABASE):
            self._ring.replace(DATABASE, keys)
            log.info("API keys of the database", keys=len(keys))

    @web.middleware
    async def ask(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Ask the callback about a key that a request names and nobody knows."""
        if self._find_secret is not None:
            await self._ask(_key_named_by(request), self._find_secret)
        return await handler(request)

    @property
    def find_key(self) -> Callable[[str], Awaitable[None]] | None:
        """Asks the callback about a key that a token names and nobody knows; None where there is nobody to ask."""
        return None if self._find_secret is None else self._find_key

    async def _find_key(self, token: str) -> None:
        assert self._find_secret is not None
        await self._ask(issuer_of(token), self._find_secret)

    async def _ask(self, key: str, find_secret: FindSecret) -> None:
        if not key or any(key in self._ring.layer(layer) for layer in (OWN, DATABASE)):
            return
        now = time.monotonic()
        until, _ = self._answers.get(key, (0.0, None))
        if now < until:
            return
        secret = await find_secret(key)
        if secret is not None and len(secret) < MIN_SECRET_CHARS:
            log.error("a secret of the callback is too short", key=key, needs=MIN_SECRET_CHARS)
            secret = None
        self._answers[key] = (now + (MISSED_S if secret is None else FOUND_S), secret)
        self._answers.move_to_end(key)
        while len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)
        keys = {known: (answer,) for known, (_, answer) in self._answers.items() if answer is not None}
        self._ring.replace(CALLBACK, keys)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            await self.refresh()

    def _look_at_file(self) -> tuple[int, int] | None:
        with contextlib.suppress(OSError):
            if self._key_file:
                stat = key_file_path(self._key_file).stat()
                return stat.st_mtime_ns, stat.st_size
        return None

    def _read_file(self) -> None:
        try:
            keys = read_key_file(self._key_file)
        except InvalidKeyFile as error:
            log.error("the key file stays as it was", error=str(error))
            return
        if not keys or keys.short_secrets():
            log.error("the key file stays as it was", error="it has no key, or a secret that is too short")
            return
        self._ring.replace(OWN, {key: keys.secrets(key) for key in keys})
        log.info("API keys of the key file", keys=len(keys))


def _key_named_by(request: web.Request) -> str:
    """The API key that signed a request's token, wherever that stands, or that comes with its secret; or nothing."""
    authorization, query = request.headers.get("Authorization", ""), request.query
    if authorization[: len(BASIC)].lower() == BASIC:
        with contextlib.suppress(ValueError):
            return base64.b64decode(authorization[len(BASIC) :].strip()).decode().partition(":")[0]
        return ""
    token = authorization.removeprefix(BEARER) or query.get("access_token", "") or query.get("token", "")
    return issuer_of(token) if token else ""
