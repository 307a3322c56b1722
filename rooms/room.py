"""A room: who is in it, how it presents itself, and when it ends."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from livekit.protocol import models

from sfu.control import CloseRouter, OpenRouter, RouterId, TrackId

from .context import Context
from .data import DataRelay
from .data_tracks import DataTrackHandles
from .errors import NotNow, ParticipantNotFound, RoomFull
from .ids import ROOM
from .limits import smallest
from .lock import RoomLock
from .news import News
from .publication import Publication
from .quality import QualityBoard
from .rate import room_rate
from .room_settings import RoomSettings
from .rpc import RpcCalls
from .speakers import SpeakerBoard
from .timers import Timer
from .updates import announce_room
from .welcome import ENABLED_CODECS

if TYPE_CHECKING:
    from .session import Session

_COUNTS_DELAY_S = 1.0
"""Changes of the counts within this time are told together."""


class Room:
    """One room of one name; when it has ended, the name may come back with another sid."""

    def __init__(self, context: Context, name: str, settings: RoomSettings, api_key: str = "") -> None:
        self.context = context
        self.name = name
        self.settings = settings
        self.api_key = api_key
        """Whose room it is: the key of who made it. Empty for nobody's."""
        self.limits = context.config.limits_of(api_key)
        self.data_rate = room_rate(self.limits)
        self.sid = context.ids.make(ROOM)
        self.router_id = RouterId(self.sid)
        self.metadata = settings.metadata
        self.created_at = context.clock.wall()
        self.sessions: dict[str, Session] = {}
        """By identity."""
        self._counted: set[Session] = set()
        """Those who count towards the limit of their API key."""
        self.forwarded: dict[str, Publication] = {}
        """By sid: tracks that are published in other rooms."""
        self.data = DataRelay(self)
        self.data_track_handles = DataTrackHandles()
        self.news = News(self)
        self.speakers = SpeakerBoard(self)
        self.quality = QualityBoard(self)
        self.rpc = RpcCalls(self)
        self.force_tcp: set[str] = set()
        """Identities whose next join offers TCP alone (``simulate``)."""
        self.lock = RoomLock()
        self.closed = False
        self._ever_joined = False
        self._empty_timer: Timer | None = None
        self._counts_timer: Timer | None = None

    # --- life ---

    def open(self) -> None:
        """Make its router and begin to wait for somebody."""
        self.context.directory.rooms[self.router_id] = self
        self.context.media.execute(OpenRouter(self.router_id))
        self.context.usage.change(self.context.usage.rooms, self.api_key, 1)
        self.context.observer.room_started(self.info())
        self._watch_emptiness()

    def close(self, reason: models.DisconnectReason) -> None:
        """End it for everybody."""
        if self.closed:
            return
        self.closed = True
        for session in list(self.sessions.values()):
            session.leave(reason)
        self.news.stop()
        for timer in (self._empty_timer, self._counts_timer):
            if timer is not None:
                timer.cancel()
        self.context.directory.rooms.pop(self.router_id, None)
        self.context.media.execute(CloseRouter(self.router_id))
        self.context.usage.change(self.context.usage.rooms, self.api_key, -1)
        self.context.observer.room_finished(self.info())

    def check_capacity(self, identity: str, dependent: bool) -> None:
        """Raise RoomFull when this participant can't be taken in besides those who are here."""
        limit = smallest(self.settings.max_participants, self.limits.room_participants)
        if not limit or dependent or identity in self.sessions:
            return
        if sum(not session.participant.dependent for session in self.sessions.values()) >= limit:
            raise RoomFull(f"room {self.name} is full: participants are limited to {limit}")

    def admit(self, session: "Session") -> None:
        """Take somebody in."""
        self._ever_joined = self._ever_joined or not session.participant.dependent
        self.sessions[session.participant.identity] = session
        if not session.participant.dependent:
            self._counted.add(session)
            self.context.usage.change(self.context.usage.participants, session.participant.api_key, 1)
        self._membership_changed(session)

    def dismiss(self, session: "Session") -> None:
        """Somebody is gone."""
        if self.sessions.get(session.participant.identity) is session:
            del self.sessions[session.participant.identity]
        if session in self._counted:
            self._counted.discard(session)
            self.context.usage.change(self.context.usage.participants, session.participant.api_key, -1)
        if not self.closed:
            self._membership_changed(session)

    def check_track(self) -> str | None:
        """Why another track is too many, or None."""
        limit = self.limits.room_tracks
        if not limit or sum(session.publications.count() for session in self.sessions.values()) < limit:
            return None
        return f"a room may have {limit} tracks"

    def _membership_changed(self, session: "Session") -> None:
        self._watch_emptiness()
        if session.participant.permission.recorder:
            announce_room(self)
        else:
            self.counts_changed()

    def _watch_emptiness(self) -> None:
        """Agents and recorders keep no room alive."""
        inhabited = any(not session.participant.dependent for session in self.sessions.values())
        if self._empty_timer is not None and (inhabited or not self._empty_timer.pending):
            self._empty_timer.cancel()
            self._empty_timer = None
        if not inhabited and self._empty_timer is None:
            patience_s = (
                self.settings.departure_timeout_s if self._ever_joined else self.settings.empty_timeout_s
            )
            self._empty_timer = self.context.later(patience_s, lambda: self.close(models.ROOM_CLOSED))

    # --- what there is ---

    def info(self) -> models.Room:
        """A snapshot for clients. Whoever is hidden, or there for the others' sake, isn't counted."""
        participants = publishers = recorders = 0
        for session in self.sessions.values():
            participant = session.participant
            recorders += participant.recorder
            if not participant.hidden and not participant.dependent:
                participants += 1
                publishers += bool(session.publications.published)
        return models.Room(
            sid=self.sid,
            name=self.name,
            empty_timeout=int(self.settings.empty_timeout_s),
            departure_timeout=int(self.settings.departure_timeout_s),
            max_participants=self.settings.max_participants,
            creation_time=int(self.created_at),
            creation_time_ms=int(self.created_at * 1000),
            enabled_codecs=ENABLED_CODECS,
            metadata=self.metadata,
            num_participants=participants,
            num_publishers=publishers,
            active_recording=recorders > 0,
        )

    def session(self, identity: str) -> "Session":
        """Somebody's. Raises ParticipantNotFound."""
        session = self.sessions.get(identity)
        if session is None:
            raise ParticipantNotFound
        return session

    def own_session(self, identity: str) -> "Session":
        """One that isn't only the image of one in another room. Raises as :meth:`session`, and NotNow."""
        session = self.session(identity)
        if session.forwarded:
            raise NotNow("the participant is forwarded from another room")
        return session

    def published(self) -> Iterator[Publication]:
        """Every published track."""
        for session in list(self.sessions.values()):
            yield from list(session.publications.published.values())

    def find_published(self, track_sid: str) -> Publication | None:
        """A published track of this room."""
        publication = self.context.directory.publications.get(TrackId(track_sid))
        if publication is None or publication.publisher.room is not self:
            return self.forwarded.get(track_sid)
        return publication if track_sid in publication.publisher.publications.published else None

    # --- what is told ---

    def configure(self, changed: Mapping[str, Any]) -> None:
        """Change settings, by their names. A room that waits to be closed begins to wait anew."""
        if not changed:
            return
        self.settings = replace(self.settings, **changed)
        if self._empty_timer is not None:
            self._empty_timer.cancel()
            self._empty_timer = None
            self._watch_emptiness()
        announce_room(self)

    def set_metadata(self, metadata: str) -> None:
        """Replace the room's metadata and tell everybody."""
        self.metadata = metadata
        announce_room(self)

    def counts_changed(self) -> None:
        """Tell everybody of the new counts soon."""
        if self._counts_timer is None or not self._counts_timer.pending:
            self._counts_timer = self.context.later(_COUNTS_DELAY_S, lambda: announce_room(self))
