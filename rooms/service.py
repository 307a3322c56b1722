"""The rooms of one server: where clients come in, media events arrive and time passes."""

from collections.abc import Callable

from livekit.protocol import models

from auth.grants import Claims
from sfu.control import Event

from . import departure, media_events, resume
from .bans import BanKeeper, Bans
from .config import RoomConfig
from .context import Context, ServerIdentity
from .errors import InvalidJoin, InvalidRequest, LimitExceeded, RoomFull, RoomNotFound, ShuttingDown
from .gate import Gate, OpenGate
from .ids import Ids
from .join import JoinRequest, admitted_claims, with_role
from .participant import Participant
from .ports import (
    Clock,
    IceServers,
    MediaPlane,
    NoIceServers,
    RoomObserver,
    SignalSink,
    TokenMinter,
    Unobserved,
)
from .roles import SHOWN_CHARS
from .room import Room
from .room_settings import RoomSettings
from .session import Session
from .timers import Timer


class RoomService:
    """Synchronous and without I/O: everything that a call does has been done when it returns.

    Media events must not be delivered from inside ``MediaPlane.execute``.
    """

    def __init__(
        self,
        config: RoomConfig,
        media: MediaPlane,
        minter: TokenMinter,
        clock: Clock,
        ids: Ids,
        *,
        observer: RoomObserver | None = None,
        gate: Gate | None = None,
        ban_keeper: BanKeeper | None = None,
        ice_servers: IceServers | None = None,
        server: ServerIdentity | None = None,
    ) -> None:
        self.config = config
        self.bans = Bans(clock, ids, ban_keeper)
        """Whom no room, or one, takes in."""
        self._context = Context(
            config=config,
            server=server or ServerIdentity(),
            media=media,
            minter=minter,
            observer=observer or Unobserved(),
            ice_servers=ice_servers or NoIceServers(),
            clock=clock,
            ids=ids,
            bans=self.bans,
            gate=gate or OpenGate(),
        )
        self._rooms: dict[str, Room] = {}
        self._stopping = False

    # --- clients ---

    def join(self, request: JoinRequest, sink: SignalSink) -> Session:
        """Take a client into its room; ``join`` is the first message that the sink gets.

        Raises a JoinRefused before anything is sent, created or ended.
        """
        request = with_role(request, self.config)
        claims = self._admit(request)
        settings = self.default_settings(claims.room_preset).overlaid(claims.room_config)
        room = self.create_room(request.room_name, settings, claims.issuer)
        previous = room.sessions.get(claims.identity)
        session = Session(self._context, room, claims, request, sink)
        if previous is not None:
            departure.end(previous, models.DUPLICATE_IDENTITY, replaced=True)
        session.open(request)
        return session

    def check(self, request: JoinRequest) -> JoinRequest:
        """Raise what :meth:`join` would, and do nothing else; the request, with what its role grants."""
        request = with_role(request, self.config)
        self._admit(request)
        return request

    def _admit(self, request: JoinRequest) -> Claims:
        """The claims to join with. Raises JoinRefused."""
        self._check_running()
        config = self.config
        claims = self._checked_claims(request)
        room = self.room(request.room_name)
        newcomer = Participant("", claims, request.client, 0.0)
        if not newcomer.dependent and (room is None or claims.identity not in room.sessions):
            self._context.usage.check_participant(claims.issuer, config.limits_of(claims.issuer))
        if room is not None:
            if not newcomer.dependent:
                room.lock.check(claims.identity)
            room.check_capacity(claims.identity, newcomer.dependent)
        elif not (config.auto_create or request.grant.room_create):
            raise RoomNotFound
        else:
            if claims.room_preset and config.preset(claims.room_preset) is None:
                raise InvalidJoin(f"there is no room configuration {claims.room_preset[:SHOWN_CHARS]}")
            self.check_new_room(claims.issuer)
        return claims

    def _checked_claims(self, request: JoinRequest) -> Claims:
        claims = admitted_claims(request, self.config)
        self.bans.check(request.room_name, request.claims, claims.identity, request.client.address)
        return claims

    def resume(self, request: JoinRequest, sink: SignalSink) -> Session | None:
        """Go on with the session of an identity whose signal connection was lost.

        None means that there is nothing to go on with; the sink has been told how to proceed, and closed.
        Raises InvalidJoin when the token names no room, and what else a token is refused for.
        """
        request = with_role(request, self.config)
        claims = self._checked_claims(request)
        room = self.room(request.room_name)
        session = room.sessions.get(claims.identity) if room is not None else None
        return resume.resume(session, request, claims, sink)

    # --- media and time ---

    def on_media_event(self, event: Event) -> None:
        """The data plane has something to say."""
        media_events.dispatch(self._context, event)

    def next_timeout(self) -> float | None:
        """When :meth:`on_timeout` wants to be called next, by the clock's ``now``; None for never."""
        return self._context.timers.next_at()

    def watch_timeouts(self, on_earlier: Callable[[], None]) -> None:
        """Have ``on_earlier`` called whenever :meth:`next_timeout` comes to be earlier than it was."""
        self._context.timers.on_earlier = on_earlier

    def later(self, delay_s: float, action: Callable[[], None]) -> Timer:
        """Have something done after this time."""
        return self._context.later(delay_s, action)

    def on_timeout(self, now: float) -> None:
        """Time has passed."""
        self._context.timers.fire(now)
        self._sweep()

    # --- rooms ---

    def room(self, name: str) -> Room | None:
        """The room of this name."""
        room = self._rooms.get(name)
        return None if room is None or room.closed else room

    def rooms(self) -> list[Room]:
        """All of them."""
        self._sweep()
        return list(self._rooms.values())

    def create_room(self, name: str, settings: RoomSettings, api_key: str = "") -> Room:
        """The room of this name, made if need be for this API key; one that exists keeps its settings."""
        room = self.room(name)
        if room is None:
            room = Room(self._context, name, settings, api_key)
            self._open(room)
        return room

    def demand(self, name: str, api_key: str = "") -> Room:
        """The room of this name, made for this API key if a join would make it.

        Raises InvalidRequest, LimitExceeded, RoomNotFound, RoomFull or ShuttingDown.
        """
        room = self.room(name)
        if room is None:
            if not self.config.auto_create:
                raise RoomNotFound
            self.check_name(name)
            self.check_new_room(api_key)
            room = self.create_room(name, self.default_settings(), api_key)
        return room

    def check_name(self, name: str) -> None:
        """Raise InvalidRequest or LimitExceeded when no room can have this name."""
        if not name:
            raise InvalidRequest("room name cannot be empty")
        limit = self.config.max_room_name_chars
        if len(name) > limit:
            raise LimitExceeded(f"room name length exceeds limits: max length {limit}")

    def check_new_room(self, api_key: str = "") -> None:
        """Raise RoomFull when there is no place for another room of this API key, or ShuttingDown."""
        self._check_running()
        if len(self.rooms()) >= self.config.max_rooms:
            raise RoomFull(f"the server has as many rooms as it may: {self.config.max_rooms}")
        self._context.usage.check_room(api_key, self.config.limits_of(api_key))

    def default_settings(self, preset: str = "") -> RoomSettings:
        """What a room has when nothing else is said, or nothing but the name of a preset."""
        settings = RoomSettings.from_config(self.config)
        found = self.config.preset(preset)
        return settings if found is None else settings.configured(found.configuration)

    def shutdown(self) -> None:
        """Take nobody in any more, and tell everybody to go."""
        self._stopping = True
        for room in self.rooms():
            room.close(models.SERVER_SHUTDOWN)
        self._sweep()

    def _check_running(self) -> None:
        if self._stopping:
            raise ShuttingDown("the server is stopping")

    def _open(self, room: Room) -> None:
        self._rooms[room.name] = room
        room.open()

    def _sweep(self) -> None:
        """Forget rooms that have ended."""
        for name in [name for name, room in self._rooms.items() if room.closed]:
            del self._rooms[name]
