"""One client's connection, and the rooms that it is in over it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from livekit.protocol import models

from auth.errors import AuthError
from auth.grants import Claims
from rooms.errors import NotAllowed, RoomsError
from rooms.join import JoinRequest
from rooms.session import Session
from signaling import access
from signaling.config import SignalingConfig
from signaling.errors import SignalingError
from signaling.frames import CloseCode, Opcode, frame
from signaling.ports import Rooms
from signaling.websocket import MessageSocket

from . import messages
from .errors import Refused
from .link import Link
from .shapes import Json

log = structlog.get_logger(__name__)

HIGH_SHARE, MEDIUM_SHARE = 0.5, 0.2
"""Shares of a connection from which on a room's video may have its best layer, and the one below."""


class JsonFraming:
    """Frames stay as they are until somebody can say what is wrong with them; answers are JSON."""

    def decode(self, frame: bytes | str) -> bytes | str:
        """What came."""
        return frame

    def encode(self, message: Json) -> bytes:
        """The frame of an answer."""
        return frame(Opcode.TEXT, json.dumps(message, separators=(",", ":")).encode())


class JsonConnection(MessageSocket[bytes | str]):
    """A client. Whatever it sends that can't be carried out is answered with an error, and it goes on."""

    SLOW_CODE = CloseCode.TRY_AGAIN

    def __init__(
        self,
        config: SignalingConfig,
        rooms: Rooms,
        claims: Claims,
        verify: Callable[[str], Claims],
        client: models.ClientInfo,
        find_key: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """``claims`` are those of the connection's own token; ``verify`` raises AuthError or SignalingError.

        ``find_key`` is called before ``verify``, if there is anybody who may know the key that signed a token.
        """
        super().__init__(config, JsonFraming(), client.address)
        self._rooms = rooms
        self._claims = claims
        self._verify = verify
        self._client = client
        self._find_key = find_key
        self._finding = 0
        """Joins that wait for their key."""
        self._links: list[Link] = []
        self._joining: set[asyncio.Task[None]] = set()

    # --- requests ---

    def _handle(self, request: bytes | str) -> None:
        parsed: messages.Request | None = None
        try:
            if isinstance(request, bytes):
                raise Refused("bad_request", "messages are JSON in text frames")
            parsed = messages.parse(request)
            self._carry_out(parsed)
        except Refused as error:
            request_id = error.request_id if parsed is None else parsed.id
            room_id = None if parsed is None else parsed.room_id
            self._refuse_request(error.code, str(error), request_id, room_id)

    def _carry_out(self, request: messages.Request) -> None:
        if isinstance(request, messages.Ping):
            self._answer({"type": "pong", "time_ms": time.time_ns() // 1_000_000}, request.id)
        elif isinstance(request, messages.JoinRoom):
            self._join_with_key(request)
        else:
            link = self._link(request.room_id)
            if isinstance(request, messages.SetBandwidthShare):
                link.share = request.share
                self._share_out()
                link.tell({"type": "done", "request": request.type}, request.id)
                return
            if isinstance(request, messages.PublishTrack):
                self._check_tracks()
            link.handle(request)

    def _link(self, room_id: str | None) -> Link:
        joined = [link for link in self._links if link.session is not None]
        if room_id is None and len(joined) == 1:
            return joined[0]
        link = self._in(room_id)
        if link is not None and link.session is not None:
            return link
        if room_id is None and joined:
            raise Refused("bad_request", "room_id: is missing, and there are several rooms")
        raise Refused("not_joined", "join the room first")

    def _in(self, room_id: str | None) -> Link | None:
        return next((link for link in self._links if link.room_id == room_id), None)

    def _check_tracks(self) -> None:
        limit = self._config.json_max_tracks
        if sum(link.track_count() for link in self._links) >= limit:
            raise Refused("limit_exceeded", f"{limit} tracks may be published over one connection")

    # --- joining ---

    def _join_with_key(self, request: messages.JoinRoom) -> None:
        """Join, after whoever may know the key of a token has been asked."""
        if request.token is None or self._find_key is None:
            self._join(request)
        elif self._finding < self._config.json_max_rooms:
            self._finding += 1
            self._start(self._join_when(self._find_key(request.token), request))
        else:
            raise Refused("limit_exceeded", "the keys of too many tokens are being looked for")

    async def _join_when(self, found: Awaitable[None], request: messages.JoinRoom) -> None:
        try:
            await found
        finally:
            self._finding -= 1
        if self._over:
            return
        try:
            self._join(request)
        except Refused as error:
            self._refuse_request(error.code, str(error), request.id, request.room_id)

    def _join(self, request: messages.JoinRoom) -> None:
        wanted = self._wanted(request)
        room_id = wanted.room_name
        if self._in(room_id) is not None:
            raise Refused("already_joined", "already in the room, or about to be")
        if len(self._links) >= self._config.json_max_rooms:
            raise Refused("limit_exceeded", f"{self._config.json_max_rooms} rooms over one connection")
        link = Link(room_id, self.send, self._left)
        link.share = request.bandwidth_share
        self._links.append(link)
        self._start(self._enter(wanted, link, request.id))

    def _start(self, joining: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(joining)
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    def _wanted(self, request: messages.JoinRoom) -> JoinRequest:
        try:
            claims = self._verify(request.token) if request.token is not None else self._claims
            client = models.ClientInfo()
            client.CopyFrom(self._client)
            wanted = JoinRequest(
                claims,
                client=client,
                auto_subscribe=request.auto_subscribe,
                metadata=request.metadata,
                attributes=request.attributes,
            )
            access.authorize(wanted)
        except (AuthError, SignalingError) as error:
            raise Refused("not_allowed", str(error)) from error
        if request.room_id not in (None, wanted.room_name):
            raise Refused("not_allowed", "the token is for another room")
        return wanted

    async def _enter(self, wanted: JoinRequest, link: Link, request_id: str | int | None) -> None:
        try:
            await self._rooms.admit(wanted)
            if self._over or link not in self._links:
                return
            link.joining(request_id)
            session = self._rooms.join(wanted, link)
            assert isinstance(session, Session)
        except RoomsError as error:
            self._forget(link)
            code = "not_allowed" if isinstance(error, NotAllowed) else "refused"
            self._refuse_request(code, str(error), request_id, link.room_id)
            return
        except Exception:
            log.exception("a join failed", remote=self._remote)
            self._cut_off("a join failed")
            return
        link.enter(session)
        self._share_out()

    # --- the rooms' end ---

    def _left(self, link: Link) -> None:
        """A room has no more to say. It may be in the middle of something, so the rest waits."""
        self._forget(link)
        asyncio.get_running_loop().call_soon(_end, link, models.CLIENT_INITIATED)
        self._share_out()

    def _forget(self, link: Link) -> None:
        if link in self._links:
            self._links.remove(link)

    def _lost(self) -> None:
        """Who comes back joins again: without a connection nothing remains."""
        links, self._links = self._links, []
        for link in links:
            _end(link, models.SIGNAL_CLOSE)

    # --- bandwidth ---

    def _share_out(self) -> None:
        """Let each room have the layers that its share of the connection is good for."""
        joined = [link for link in self._links if link.session is not None]
        whole = sum(link.share for link in joined)
        for link in joined:
            link.limit_quality(quality_for(link.share / whole if whole else 0.0))

    # --- answers ---

    def _answer(self, message: Json, request_id: str | int | None) -> None:
        self.send(message if request_id is None else {**message, "id": request_id})

    def _refuse_request(
        self, code: str, text: str, request_id: str | int | None, room_id: str | None = None
    ) -> None:
        message: dict[str, Any] = {"type": "error", "code": code, "message": text}
        self._answer(message if room_id is None else {**message, "room_id": room_id}, request_id)


def quality_for(share: float) -> int:
    """The best VideoQuality that a room with this share of a connection may have."""
    if share <= 0:
        return int(models.OFF)
    if share >= HIGH_SHARE:
        return int(models.HIGH)
    return int(models.MEDIUM if share >= MEDIUM_SHARE else models.LOW)


def _end(link: Link, reason: models.DisconnectReason) -> None:
    if link.session is not None and not link.session.ended:
        link.session.leave(reason)
