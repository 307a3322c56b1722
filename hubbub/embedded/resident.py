"""A participant's client inside the server: it signals as every client does, and has a tap for a peer connection."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import structlog
from livekit.protocol import models, rtc

from rooms.session import Session
from sfu.control import LOSSY, RELIABLE, MediaKind, TrackId
from sfu.tap import Tap, Tapped

from .errors import NotJoined, NotPublished, Unreceivable
from .inbox import Inbox
from .roster import Roster

log = structlog.get_logger(__name__)

ANSWER_TIMEOUT_S = 10.0
"""For what the server does at once unless a hook takes its time."""
MAX_WAITING_PACKETS = 512
"""Media packets that may wait for one reader: ten seconds of audio, two or so of video."""
MAX_WAITING_DATA = 1000


class Published(Protocol):
    """A track of this participant, as its client sees it."""

    def keyframe_wanted(self) -> None: ...

    def muted_by_server(self, muted: bool) -> None: ...

    def ended(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Data:
    """A message that somebody sent."""

    payload: bytes
    topic: str
    sender: str
    """Identity; empty for the server itself and for who is hidden."""
    reliable: bool


@dataclass(slots=True)
class _Publication:
    cid: str
    sid: str = ""
    refusal: str = ""
    track: Published | None = None


class Resident:
    """Implements ``rooms.ports.SignalSink`` and ``sfu.tap.TapListener``."""

    def __init__(self) -> None:
        self.roster = Roster()
        self.ended = False
        self._session: Session | None = None
        self._tap: Tap | None = None
        self._messages: deque[rtc.SignalResponse] = deque()
        self._closing = False
        self._offers = 0
        self._sequence = 0
        self._changed = asyncio.Event()
        self._publications: dict[str, _Publication] = {}
        self._readers: dict[str, set[Inbox[Tapped]]] = {}
        """By track that is read."""
        self._data: set[Inbox[Data]] = set()

    @property
    def session(self) -> Session:
        assert self._session is not None
        return self._session

    @property
    def tap(self) -> Tap:
        assert self._tap is not None
        return self._tap

    # --- life ---

    async def begin(self, session: Session, tap: Tap) -> None:
        """Go on with this session and transport, until its media is connected. Raises NotJoined."""
        self._session, self._tap = session, tap
        self._offer()
        if not await self._until(lambda: session.participant.active):
            self.leave()
            raise NotJoined("the room ended or did not answer")

    def leave(self) -> None:
        """Leave the room, if that has not happened yet."""
        if self._session is not None and not self._session.ended:
            self._session.leave(models.CLIENT_INITIATED)
        self._end()

    async def changed(self) -> None:
        """Wait for news of the room, or its end."""
        await self._changed.wait()

    async def _until(self, condition: Callable[[], bool]) -> bool:
        """Wait for something; False when the session ends first or it takes too long."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                while not condition():
                    if self.ended:
                        return False
                    await self.changed()
        except TimeoutError:
            return False
        return True

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        for readers in self._readers.values():
            for inbox in readers:
                inbox.end()
        for waiting in self._data:
            waiting.end()
        for publication in self._publications.values():
            if publication.track is not None:
                publication.track.ended()
        self._ring()

    def _ring(self) -> None:
        self._changed.set()
        self._changed.clear()

    # --- publishing ---

    async def publish(self, request: rtc.AddTrackRequest, kind: MediaKind, track: Published) -> str:
        """Publish a track under the request's cid; returns its sid. Raises NotPublished."""
        publication = self._publications[request.cid] = _Publication(request.cid)
        self.session.handle(rtc.SignalRequest(add_track=request))
        self.tap.publish(request.cid, kind)
        self._offer()
        published = self.session.publications.published
        if not await self._until(lambda: bool(publication.refusal) or publication.sid in published):
            publication.refusal = "the participant has left" if self.ended else "there was no answer"
        if publication.refusal:
            self.unpublish(request.cid)
            raise NotPublished(publication.refusal)
        publication.track = track
        return publication.sid

    def unpublish(self, cid: str) -> None:
        """End a track of one's own."""
        if self._publications.pop(cid, None) is not None:
            self.tap.unpublish(cid)
            self._offer()

    def mute(self, sid: str, muted: bool) -> None:
        """Mute a track of one's own, or unmute it."""
        if not self.ended:
            self.session.handle(rtc.SignalRequest(mute=rtc.MuteTrackRequest(sid=sid, muted=muted)))

    # --- receiving ---

    @contextmanager
    def received(self, track_sid: str) -> Iterator[Inbox[Tapped]]:
        """The packets of a track, which is subscribed to for as long as somebody reads it."""
        inbox: Inbox[Tapped] = Inbox(MAX_WAITING_PACKETS)
        if self.ended or self.roster.track(track_sid) is None:
            inbox.end()
        readers = self._readers.setdefault(track_sid, set())
        readers.add(inbox)
        if len(readers) == 1:
            self._subscribe(track_sid, True)
        try:
            yield inbox
        finally:
            readers.discard(inbox)
            if not readers:
                del self._readers[track_sid]
                self._subscribe(track_sid, False)

    @contextmanager
    def heard(self) -> Iterator[Inbox[Data]]:
        """The data that comes from now on."""
        inbox: Inbox[Data] = Inbox(MAX_WAITING_DATA)
        if self.ended:
            inbox.end()
        self._data.add(inbox)
        try:
            yield inbox
        finally:
            self._data.discard(inbox)

    def send_data(self, packet: models.DataPacket, *, reliable: bool) -> None:
        """Send a data packet to whom it names."""
        if self.ended:
            return
        if reliable:
            self._sequence += 1
            packet.sequence = self._sequence
        self.tap.send_data(RELIABLE if reliable else LOSSY, packet.SerializeToString())

    def _subscribe(self, track_sid: str, wanted: bool) -> None:
        if not self.ended:
            request = rtc.UpdateSubscription(track_sids=[track_sid], subscribe=wanted)
            self.session.handle(rtc.SignalRequest(subscription=request))

    # --- SignalSink ---

    def send(self, response: rtc.SignalResponse) -> None:
        """A message of the server. It may come in the midst of anything, and is handled later."""
        self._messages.append(response)
        if len(self._messages) == 1:
            asyncio.get_running_loop().call_soon(self._deliver)

    def close(self, code: int = 1000) -> None:  # noqa: ARG002
        """The session is over."""
        self._closing = True
        asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        messages, self._messages = self._messages, deque()
        for message in messages:
            kind = message.WhichOneof("message")
            if self.ended or kind is None:
                break
            try:
                self._take(kind, message)
            except Exception:
                log.exception("a message to a participant inside the server was not handled", kind=kind)
        if self._closing:
            self._end()
        self._ring()

    def _take(self, kind: str, message: rtc.SignalResponse) -> None:
        match kind:
            case "join":
                self.roster.take(message.join.other_participants)
            case "update":
                self._others(message.update.participants)
            case "room_moved":
                self.roster.clear()
                self._others(message.room_moved.other_participants)
            case "answer":
                self.tap.answered()
                self._offer()
            case "media_sections_requirement":
                wanted = message.media_sections_requirement
                self.tap.require(wanted.num_audios, wanted.num_videos)
                self._offer()
            case _:
                self._take_of_track(kind, message)

    def _take_of_track(self, kind: str, message: rtc.SignalResponse) -> None:
        match kind:
            case "track_published":
                publication = self._publications.get(message.track_published.cid)
                if publication is not None:
                    publication.sid = message.track_published.track.sid
            case "request_response" if message.request_response.HasField("add_track"):
                self._refused(message.request_response)
            case "track_unpublished":
                self._unpublished(message.track_unpublished.track_sid)
            case "mute":
                self._muted(message.mute)
            case "subscription_response" if message.subscription_response.err:
                for inbox in self._inboxes(message.subscription_response.track_sid):
                    inbox.end(Unreceivable("the track's codec can't be decoded here"))

    def _others(self, infos: Iterable[models.ParticipantInfo]) -> None:
        own = self.session.participant.identity
        self.roster.take(info for info in infos if info.identity != own)
        there = {track.sid for track in self.roster.tracks()}
        for sid, readers in self._readers.items():
            if sid not in there:
                for inbox in readers:
                    inbox.end()

    def _refused(self, response: rtc.RequestResponse) -> None:
        publication = self._publications.get(response.add_track.cid)
        if publication is not None and response.reason not in (response.OK, response.QUEUED):
            publication.refusal = response.message or response.Reason.Name(response.reason).lower()

    def _unpublished(self, sid: str) -> None:
        for publication in list(self._publications.values()):
            if publication.sid == sid:
                self.unpublish(publication.cid)
                if publication.track is not None:
                    publication.track.ended()

    def _muted(self, request: rtc.MuteTrackRequest) -> None:
        for publication in self._publications.values():
            if publication.sid == request.sid and publication.track is not None:
                publication.track.muted_by_server(request.muted)

    def _offer(self) -> None:
        """Make an offer if there is a reason."""
        offer = None if self.session.ended else self.tap.next_offer()
        if offer is not None:
            self._offers += 1
            description = rtc.SessionDescription(type="offer", sdp=offer, id=self._offers)
            self.session.handle(rtc.SignalRequest(offer=description))

    # --- TapListener ---

    def media(self, packet: Tapped) -> None:
        """See TapListener."""
        for inbox in self._inboxes(packet.track_id):
            inbox.put(packet)

    def keyframe_wanted(self, cid: str) -> None:
        """See TapListener."""
        publication = self._publications.get(cid)
        if publication is not None and publication.track is not None:
            publication.track.keyframe_wanted()

    def data(self, label: str, payload: bytes) -> None:
        """See TapListener."""
        if label not in (RELIABLE, LOSSY) or not self._data:
            return
        packet = models.DataPacket.FromString(payload)
        if packet.WhichOneof("value") != "user":
            return
        user = packet.user
        data = Data(user.payload, user.topic, packet.participant_identity, label == RELIABLE)
        for inbox in self._data:
            inbox.put(data)

    def tap_closed(self) -> None:
        """See TapListener."""
        self._end()

    def ask_for_keyframe(self, track_sid: str) -> None:
        """A track that is read can't be decoded."""
        self.tap.ask_for_keyframe(TrackId(track_sid))

    def _inboxes(self, track_sid: str) -> list[Inbox[Tapped]]:
        return list(self._readers.get(track_sid, ()))
