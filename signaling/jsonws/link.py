"""A client's part in one room: its requests become those of a session, and what the session says becomes JSON.

It is the session's SignalSink, and the sink of its data. It never waits, and asks nothing of the client's order.
"""

import json
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from livekit.protocol import models, rtc

from rooms import control, publishing
from rooms.errors import RoomsError
from rooms.publication import Publication
from rooms.session import Session

from . import messages
from .cids import sent_cids
from .data import packet_of, shape_of
from .errors import Refused
from .shapes import Json
from .teller import RequestId, Teller

MAX_UNNAMED = 20
"""Tracks announced without a client id that may wait for an offer."""
QUALITIES = {"low": models.LOW, "medium": models.MEDIUM, "high": models.HIGH, "off": models.OFF}
SOURCES = {"audio": "microphone", "video": "camera"}


class Link:
    """One room of one connection."""

    def __init__(self, room_id: str, tell: Callable[[Json], None], ended: Callable[["Link"], None]) -> None:
        self._teller = Teller(room_id, tell)
        self._teller.answered_cid = lambda cid: self._announced.discard(cid)
        self._ended = ended
        self.session: Session | None = None
        """None until the room has taken the client in."""
        self.share = 1.0
        self._numbers = 0
        self._unnamed: deque[messages.PublishTrack] = deque()
        self._offered: list[tuple[str, str]] = []
        self._announced: set[str] = set()
        """Client ids of tracks that the room has not answered yet."""

    @property
    def room_id(self) -> str:
        """The room's name, which is another once the client was moved."""
        return self._teller.room_id

    # --- the session's sinks ---

    def joining(self, request_id: RequestId) -> None:
        """The next that comes answers this request."""
        self._teller.join_id = request_id

    def send(self, response: rtc.SignalResponse) -> None:
        """What the session says (``rooms.ports.SignalSink``)."""
        self._teller.say(response)

    def close(self, code: int = 1000) -> None:  # noqa: ARG002
        """The session has no more to say; the connection may have other rooms."""
        self._ended(self)

    def data(self, payload: bytes) -> None:
        """A data packet for the client (``rooms.data.DataInbox.deliver_to``)."""
        shape = shape_of(payload)
        if shape is not None:
            self.tell({"type": "data", **shape})

    def tell(self, message: Json, request_id: RequestId = None) -> None:
        """Send a message of this room."""
        self._teller.tell(message, request_id)

    # --- requests ---

    def enter(self, session: Session) -> None:
        """The room has taken the client in. Data comes over this connection, not over a channel."""
        self.session = session
        session.data.deliver_to(self.data)

    def handle(self, request: messages.Request) -> None:
        """Carry out a request of somebody who is in the room. Raises Refused."""
        self._HANDLERS[type(request)](self, request)

    def track_count(self) -> int:
        """Tracks that the client has announced or publishes here."""
        published = self.session.publications.count() if self.session is not None else 0
        return published + len(self._unnamed)

    def limit_quality(self, quality: int) -> None:
        """The room's share of the connection changed: receive no better video than this."""
        if self.session is not None:
            self.session.subscriptions.limit(quality)

    def _offer(self, request: messages.Offer) -> None:
        self._numbers += 1
        self._teller.remember("offer", str(self._numbers), request.id)
        self._offered = sent_cids(request.sdp)
        self._announce_unnamed()
        self._ask(offer=rtc.SessionDescription(type="offer", sdp=request.sdp, id=self._numbers))

    def _publish(self, request: messages.PublishTrack) -> None:
        if request.cid is not None:
            self._announce(request, request.cid)
            return
        if len(self._unnamed) >= MAX_UNNAMED:
            raise Refused("limit_exceeded", f"{MAX_UNNAMED} tracks without a cid may wait for an offer")
        self._unnamed.append(request)
        self._announce_unnamed()

    def _announce_unnamed(self) -> None:
        """Tracks that were announced without a client id are those of the offer, in the order of both."""
        free = [(kind, cid) for kind, cid in self._offered if not self._is_taken(cid)]
        for request in list(self._unnamed):
            cid = next((cid for kind, cid in free if kind == request.kind), None)
            if cid is not None:
                free.remove((request.kind, cid))
                self._unnamed.remove(request)
                self._announce(request, cid)

    def _is_taken(self, cid: str) -> bool:
        """Whether a track has this client id already, or is about to."""
        assert self.session is not None
        publications = self.session.publications
        return cid in self._announced or cid in publications.queued or publications.holds_cid(cid)

    def _announce(self, request: messages.PublishTrack, cid: str) -> None:
        self._announced.add(cid)
        self._teller.remember("add_track", cid, request.id)
        source = request.source or SOURCES[request.kind]
        self._ask(
            add_track=rtc.AddTrackRequest(
                cid=cid,
                type=models.AUDIO if request.kind == "audio" else models.VIDEO,
                source=source.upper(),
                name=request.name,
                width=request.width,
                height=request.height,
                muted=request.muted,
            )
        )

    def _subscribe(self, request: messages.SubscribeTrack) -> None:
        if request.quality is not None:
            settings = rtc.UpdateTrackSettings(
                track_sids=[request.track_id],
                quality=QUALITIES[request.quality],
                disabled=request.quality == "off",
            )
            self._ask(track_setting=settings)
        if request.track_id in self._teller.bound.values():
            self._done(request)
        else:
            self._teller.remember("subscribe", request.track_id, request.id)
        self._wish(request.track_id, subscribe=True)

    def _wish(self, track_id: str, *, subscribe: bool) -> None:
        self._ask(subscription=rtc.UpdateSubscription(track_sids=[track_id], subscribe=subscribe))

    def _update_metadata(self, request: messages.UpdateMetadata) -> None:
        self._numbers += 1
        self._teller.remember("request", str(self._numbers), request.id)
        self._ask(
            update_metadata=rtc.UpdateParticipantMetadata(
                name=request.name,
                metadata=request.metadata,
                attributes=request.attributes,
                request_id=self._numbers,
            )
        )

    def _send_data(self, request: messages.SendData) -> None:
        assert self.session is not None
        if not self.session.participant.permission.can_publish_data:
            raise Refused("not_allowed", "the token does not allow sending data")
        label, payload = packet_of(request)
        self.session.room.data.receive(self.session, label, payload)
        self._done(request)

    def _control(self, request: messages.Control) -> None:
        assert self.session is not None
        fields = {**(request.model_extra or {}), "action": request.type}

        def done(outcome: control.Json | RoomsError) -> None:
            if isinstance(outcome, RoomsError):
                refusal = {"type": "error", "code": control.code_of(outcome), "message": str(outcome)}
                self.tell(refusal, request.id)
            else:
                self.tell({"type": "done", "request": request.type, **outcome}, request.id)

        try:
            control.carry_out(self.session, fields, done)
        except RoomsError as error:
            raise Refused(control.code_of(error), str(error)) from error

    def _own_track(self, track_id: str) -> Publication:
        assert self.session is not None
        publication = self.session.publications.find(track_id)
        if publication is None:
            raise Refused("not_found", "no such track of one's own")
        return publication

    def _ask(self, **request: Any) -> None:
        assert self.session is not None
        self.session.handle(rtc.SignalRequest(**request))

    def _done(self, request: messages.Request) -> None:
        """Say so to those who would like to know."""
        if request.id is not None:
            self.tell({"type": "done", "request": request.type}, request.id)

    def _leave(self, request: messages.LeaveRoom) -> None:
        self._teller.remember("leave", "", request.id)
        self._ask(leave=rtc.LeaveRequest(reason=models.CLIENT_INITIATED))

    def _refuse_answer(self, request: messages.Answer) -> None:  # noqa: ARG002
        raise Refused("bad_request", "the server has made no offer")

    def _candidate(self, request: messages.Candidate) -> None:
        self._ask(trickle=rtc.TrickleRequest(candidateInit=json.dumps(request.candidate or {})))
        self._done(request)

    def _unpublish(self, request: messages.UnpublishTrack) -> None:
        publication = self._own_track(request.track_id)
        self._teller.remember("unpublish", request.track_id, request.id)
        publishing.unpublish(publication)

    def _mute(self, request: messages.MuteTrack) -> None:
        self._own_track(request.track_id)
        self._ask(mute=rtc.MuteTrackRequest(sid=request.track_id, muted=request.muted))
        self._done(request)

    def _unsubscribe(self, request: messages.UnsubscribeTrack) -> None:
        self._wish(request.track_id, subscribe=False)
        self._done(request)

    _HANDLERS: ClassVar[dict[type[messages.Request], Callable[[Any, Any], None]]] = {
        messages.LeaveRoom: _leave,
        messages.Offer: _offer,
        messages.Answer: _refuse_answer,
        messages.Candidate: _candidate,
        messages.PublishTrack: _publish,
        messages.UnpublishTrack: _unpublish,
        messages.MuteTrack: _mute,
        messages.SubscribeTrack: _subscribe,
        messages.UnsubscribeTrack: _unsubscribe,
        messages.UpdateMetadata: _update_metadata,
        messages.SendData: _send_data,
        messages.Control: _control,
    }
