"""Runs hooks: in order where order matters, each with a time limit, and none can harm more than its own request."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from livekit.protocol import models, rtc

from rooms.errors import NotAllowed
from rooms.gate import Decide
from rooms.join import JoinRequest
from rooms.session import Session
from sfu.control import RELIABLE

from .hooks import DataAttempt, Hooks, JoinAttempt, PublishAttempt, Refuse

log = structlog.get_logger(__name__)

FAILED = "refused: a hook of the server failed"
"""What clients are told of a hook that raised or hung; the log has more."""
TOO_MUCH_DATA = "refused: too much data waits for a hook"
MAX_WAITING_PACKETS = 256
"""Data packets of one participant that may wait for the hook; more are refused."""


@dataclass(slots=True)
class _Line:
    """Data packets of one participant, waiting for their decisions in order."""

    waiting: deque[tuple[DataAttempt, Decide]] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class HookRunner:
    """Implements ``rooms.gate.Gate``, and what is asked before a join."""

    def __init__(self, hooks: Hooks, timeout_s: float) -> None:
        self._hooks = hooks
        self._timeout_s = timeout_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines: dict[Session, _Line] = {}
        kind = type(hooks)
        self._asks_of_publishing = kind.on_publish is not Hooks.on_publish
        self._asks_of_data = kind.on_data is not Hooks.on_data

    async def close(self) -> None:
        """Stop what runs; nothing that waits is decided any more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- before a join ---

    async def join(self, request: JoinRequest) -> None:
        """Raises NotAllowed with the hook's words."""
        refusal = await self._ask("on_join", self._hooks.on_join(_join(request)))
        if refusal is not None:
            raise NotAllowed(refusal)

    @property
    def find_secret(self) -> Callable[[str], Awaitable[str | None]] | None:
        """Asks for the secret of an API key; None where the hooks know of no keys."""
        if type(self._hooks).find_secret is Hooks.find_secret:
            return None
        return self._secret

    async def _secret(self, api_key: str) -> str | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._hooks.find_secret(api_key)
        except Exception:  # somebody else's code: the key stays unknown
            log.exception("a hook failed", hook="find_secret")
            return None

    # --- Gate ---

    def publish(self, session: Session, request: rtc.AddTrackRequest, decide: Decide) -> None:
        """See ``rooms.gate.Gate``."""
        if not self._asks_of_publishing:
            decide(None)
            return

        async def ask() -> None:
            refusal = await self._ask("on_publish", self._hooks.on_publish(_publish(session, request)))
            decide(refusal)

        self._start(ask())

    def data(self, session: Session, packet: models.DataPacket, label: str, decide: Decide) -> None:
        """See ``rooms.gate.Gate``."""
        if not self._asks_of_data:
            decide(None)
            return
        line = self._lines.setdefault(session, _Line())
        if len(line.waiting) >= MAX_WAITING_PACKETS:
            log.warning("data refused", why=TOO_MUCH_DATA, room=session.room.name)
            decide(TOO_MUCH_DATA)
            return
        line.waiting.append((_data(session, packet, label), decide))
        if line.task is None:
            line.task = self._start(self._serve(session, line))

    async def _serve(self, session: Session, line: _Line) -> None:
        try:
            while line.waiting:
                attempt, decide = line.waiting.popleft()
                decide(await self._ask("on_data", self._hooks.on_data(attempt)))
        finally:
            del self._lines[session]

    # --- inside ---

    async def _ask(self, name: str, answer: Awaitable[None]) -> str | None:
        """Why it is refused, or None."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await answer
        except Refuse as refusal:
            return str(refusal) or "refused"
        except TimeoutError:
            log.error("a hook took too long", hook=name, limit_s=self._timeout_s)
            return FAILED
        except Exception:  # it is somebody else's code: whatever it raises is its own request's end
            log.exception("a hook failed", hook=name)
            return FAILED
        return None

    def _start(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _join(request: JoinRequest) -> JoinAttempt:
    claims, client = request.claims, request.client
    sdk = models.ClientInfo.SDK.Name(client.sdk) if client.sdk in models.ClientInfo.SDK.values() else ""
    return JoinAttempt(
        room=request.room_name,
        identity=claims.identity,
        name=claims.name,
        metadata=request.metadata or claims.metadata,
        attributes={**claims.attributes, **request.attributes},
        grants=request.grant.to_json(),
        client=f"{sdk} {client.version}".strip(),
        address=client.address,
    )


def _publish(session: Session, request: rtc.AddTrackRequest) -> PublishAttempt:
    codec = request.simulcast_codecs[0].codec if request.simulcast_codecs else ""
    kind = models.TrackType.Name(request.type).lower()
    return PublishAttempt(
        room=session.room.name,
        identity=session.participant.identity,
        kind=kind,
        source=models.TrackSource.Name(request.source).lower(),
        name=request.name,
        width=request.width,
        height=request.height,
        mime_type=f"{kind}/{codec}" if codec and "/" not in codec else codec,
    )


def _data(session: Session, packet: models.DataPacket, label: str) -> DataAttempt:
    user = packet.user if packet.WhichOneof("value") == "user" else None
    return DataAttempt(
        room=session.room.name,
        identity=session.participant.identity,
        kind=packet.WhichOneof("value") or "",
        topic=user.topic if user is not None else "",
        payload=user.payload if user is not None else b"",
        reliable=label == RELIABLE,
        destinations=tuple(packet.destination_identities),
        packet=packet,
    )
