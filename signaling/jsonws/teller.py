"""What a session says to its client, as messages of one room."""

from collections.abc import Callable
from typing import Any

from livekit.protocol import models, rtc

from . import shapes
from .shapes import Json
from .view import View

MAX_REMEMBERED = 100
"""Requests whose answers are to come."""

RequestId = str | int | None


class Teller:
    """Turns each SignalResponse that matters without an SDK into messages; methods are named after its kinds."""

    def __init__(self, room_id: str, send: Callable[[Json], None]) -> None:
        self.room_id = room_id
        self._send = send
        self.view = View()
        self.join_id: RequestId = None
        """Id of the request to join."""
        self.bound: dict[str, str] = {}
        """Track ids by mid, as last told."""
        self.answered_cid: Callable[[str], None] = lambda _: None
        """Hears of client ids whose tracks were promised, refused or put off."""
        self._sid = self._identity = ""
        self._ids: dict[tuple[str, str], RequestId] = {}
        """Ids of requests that wait for their answers, by what the answer is of."""

    def say(self, response: rtc.SignalResponse) -> None:
        """Tell the client what a session says."""
        kind = response.WhichOneof("message")
        teller = _TELLERS.get(kind) if kind is not None else None
        if teller is not None:
            teller(self, getattr(response, str(kind)))

    def tell(self, message: Json, request_id: RequestId = None) -> None:
        """Send a message of this room, as an answer if it has a request's id."""
        echo = {} if request_id is None else {"id": request_id}
        self._send({**message, "room_id": self.room_id, **echo})

    def remember(self, kind: str, subject: str, request_id: RequestId) -> None:
        """The answer of this kind and subject is to a request of this id."""
        if request_id is None:
            return
        if len(self._ids) >= MAX_REMEMBERED:
            del self._ids[next(iter(self._ids))]
        self._ids[kind, subject] = request_id

    def recall(self, kind: str, subject: str) -> RequestId:
        """The request that this is the answer to."""
        return self._ids.pop((kind, subject), None)

    def _enter(self, arrival: rtc.JoinResponse | rtc.RoomMovedResponse) -> Json:
        """Begin anew with what the client finds in a room; what it is told of that."""
        me = arrival.participant
        self._sid, self._identity = me.sid, me.identity
        self.view = View()
        for info in (me, *arrival.other_participants):
            self.view.enter(info)
        return {
            "room": shapes.room(arrival.room),
            "participant": shapes.participant(me),
            "participants": [shapes.participant(info) for info in arrival.other_participants],
        }

    def join(self, join: rtc.JoinResponse) -> None:
        """In the room."""
        message = {
            "type": "room_joined",
            **self._enter(join),
            "ice_servers": [shapes.ice_server(server) for server in join.ice_servers],
        }
        self.tell(message, self.join_id)

    def answer(self, answer: rtc.SessionDescription) -> None:
        """An answer to the client's offer, and what it changes."""
        bound = dict(answer.mid_to_track_id)
        for mid, track_id in self.bound.items():
            if bound.get(mid) != track_id and track_id not in bound.values():
                self.tell({"type": "track_unsubscribed", "track_id": track_id})
        for mid, track_id in bound.items():
            if self.bound.get(mid) != track_id:
                self._tell_subscribed(mid, track_id)
        self.bound = bound
        message = {"type": "answer", "sdp": answer.sdp, "tracks": bound}
        self.tell(message, self.recall("offer", str(answer.id)))

    def _tell_subscribed(self, mid: str, track_id: str) -> None:
        message = {
            "type": "track_subscribed",
            "track_id": track_id,
            "mid": mid,
            "publisher": self.view.publisher(track_id),
            "track": self.view.track(track_id),
        }
        self.tell(message, self.recall("subscribe", track_id))

    def update(self, update: rtc.ParticipantUpdate) -> None:
        """People and their tracks."""
        for info in update.participants:
            own = info.sid == self._sid
            for message in self.view.update(info, own=own):
                self.tell(message)

    def track_published(self, published: rtc.TrackPublishedResponse) -> None:
        """A track of the client's own."""
        self.answered_cid(published.cid)
        track = shapes.track(published.track)
        message = {
            "type": "track_published",
            "publisher": self._identity,
            "track_id": track["track_id"],
            "cid": published.cid,
            "track": track,
        }
        self.tell(message, self.recall("add_track", published.cid))

    def track_unpublished(self, unpublished: rtc.TrackUnpublishedResponse) -> None:
        """A track of the client's own is gone."""
        message = {
            "type": "track_unpublished",
            "publisher": self._identity,
            "track_id": unpublished.track_sid,
        }
        self.tell(message, self.recall("unpublish", unpublished.track_sid))

    def media_sections_requirement(self, wanted: rtc.MediaSectionsRequirement) -> None:
        """The client is to offer again."""
        self.tell({"type": "offer_wanted", "audio": wanted.num_audios, "video": wanted.num_videos})

    def mute(self, mute: rtc.MuteTrackRequest) -> None:
        """A host mutes a track of the client."""
        self.tell({"type": "track_muted", "track_id": mute.sid, "muted": mute.muted})

    def leave(self, leave: rtc.LeaveRequest) -> None:
        """The end, here."""
        message = {
            "type": "room_left",
            "reason": models.DisconnectReason.Name(leave.reason).lower(),
            "rejoin": leave.action != rtc.LeaveRequest.DISCONNECT,
        }
        self.tell(message, self.recall("leave", ""))

    def room_update(self, update: rtc.RoomUpdate) -> None:
        """The room."""
        self.tell({"type": "room_updated", "room": shapes.room(update.room)})

    def room_moved(self, moved: rtc.RoomMovedResponse) -> None:
        """Somebody took the client to another room."""
        self.tell({"type": "room_moved", **self._enter(moved), "token": moved.token})
        self.room_id = moved.room.name

    def speakers_changed(self, changed: rtc.SpeakersChanged) -> None:
        """Who speaks."""
        speakers = [
            {"sid": each.sid, "level": round(each.level, 3), "active": each.active}
            for each in changed.speakers
        ]
        self.tell({"type": "speakers", "speakers": speakers})

    def connection_quality(self, update: rtc.ConnectionQualityUpdate) -> None:
        """How well people are connected."""
        qualities = [
            {"sid": each.participant_sid, "quality": models.ConnectionQuality.Name(each.quality).lower()}
            for each in update.updates
        ]
        self.tell({"type": "connection_quality", "participants": qualities})

    def refresh_token(self, token: str) -> None:
        """What to join with again."""
        self.tell({"type": "token", "token": token})

    def subscription_response(self, response: rtc.SubscriptionResponse) -> None:
        """A track can't be had."""
        codec = response.err == models.SE_CODEC_UNSUPPORTED
        code, text = (
            ("failed", "the offer takes no codec of the track") if codec else ("not_found", "no such track")
        )
        self._tell_error(code, text, self.recall("subscribe", response.track_sid))

    def subscription_permission_update(self, update: rtc.SubscriptionPermissionUpdate) -> None:
        """Whether a publisher lets the client have a track."""
        message = {"type": "track_permission", "track_id": update.track_sid, "allowed": update.allowed}
        self.tell(message)

    def request_response(self, response: rtc.RequestResponse) -> None:
        """How a request went."""
        kind, subject = "request", str(response.request_id)
        if response.WhichOneof("request") == "add_track":
            kind, subject = "add_track", response.add_track.cid
            self.answered_cid(subject)
        if response.reason == rtc.RequestResponse.QUEUED:
            return
        request_id = self.recall(kind, subject)
        if response.reason == rtc.RequestResponse.OK:
            if request_id is not None:
                self.tell({"type": "done", "request": response.WhichOneof("request")}, request_id)
            return
        code = rtc.RequestResponse.Reason.Name(response.reason).lower()
        self._tell_error(code, response.message or code.replace("_", " "), request_id)

    def _tell_error(self, code: str, text: str, request_id: RequestId) -> None:
        self.tell({"type": "error", "code": code, "message": text}, request_id)


_TELLERS: dict[str, Callable[[Teller, Any], None]] = {
    "join": Teller.join,
    "answer": Teller.answer,
    "update": Teller.update,
    "track_published": Teller.track_published,
    "track_unpublished": Teller.track_unpublished,
    "media_sections_requirement": Teller.media_sections_requirement,
    "mute": Teller.mute,
    "leave": Teller.leave,
    "room_update": Teller.room_update,
    "room_moved": Teller.room_moved,
    "speakers_changed": Teller.speakers_changed,
    "connection_quality": Teller.connection_quality,
    "refresh_token": Teller.refresh_token,
    "subscription_response": Teller.subscription_response,
    "subscription_permission_update": Teller.subscription_permission_update,
    "request_response": Teller.request_response,
}
"""What clients are told of; the rest is for SDKs."""
