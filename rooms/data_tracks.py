"""Data tracks: named streams of small packets on a lossy channel of their own.

A packet names its track by a 16-bit handle: the publisher's own on the way in, one of the room's on the way
out, the same for all subscribers, so that a packet is written once for everybody.
"""

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from sfu.control import DATA_TRACK, SendData

from .ids import DATA_TRACK as DATA_TRACK_PREFIX
from .ids import MAX_CHARS
from .updates import announce

if TYPE_CHECKING:
    from .session import Session

_HEADER_BYTES = 12
_HANDLE = struct.Struct("!H")
_HANDLE_OFFSET = 2
_VERSION_SHIFT = 5
_MAX_HANDLE = 0xFFFF
_MAX_NAME_CHARS = 256
_MAX_WISHES = 10_000


@dataclass(eq=False, slots=True)
class DataTrack:
    """One published data track."""

    publisher: "Session"
    handle: int
    """The room's handle of it, towards subscribers."""
    info: models.DataTrackInfo
    subscribers: "set[Session]" = field(default_factory=set)

    def release_subscribers(self) -> None:
        """It is gone: nobody has a handle of it any more."""
        for subscriber in list(self.subscribers):
            subscriber.data_tracks.drop(self)


class DataTrackHandles:
    """The handles of one room. A freed one is used again as late as possible."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._last = 0

    def take(self) -> int | None:
        """A free handle, or None when there is none."""
        if len(self._taken) >= _MAX_HANDLE:
            return None
        while True:
            self._last = self._last % _MAX_HANDLE + 1
            if self._last not in self._taken:
                self._taken.add(self._last)
                return self._last

    def free(self, handle: int) -> None:
        """Give one back."""
        self._taken.discard(handle)


class DataTracks:
    """What one participant publishes and receives of data tracks."""

    def __init__(self, session: "Session", auto: bool) -> None:
        self._session = session
        self._auto = auto
        self.published: dict[int, DataTrack] = {}
        """By the publisher's own handle."""
        self._received: dict[int, DataTrack] = {}
        """By the room's handle."""
        self._wishes: dict[str, bool] = {}

    def infos(self) -> list[models.DataTrackInfo]:
        """What is told of the published ones."""
        return [track.info for track in self.published.values()]

    def knows(self, sid: str) -> bool:
        """Whether this is the sid of a published one."""
        return any(track.info.sid == sid for track in self.published.values())

    def apply(self, request: rtc.UpdateDataSubscription) -> None:
        """Subscribe to data tracks, or no longer; one that doesn't exist yet is remembered."""
        for update in request.updates:
            known = update.track_sid in self._wishes
            if known or (len(self._wishes) < _MAX_WISHES and len(update.track_sid) <= MAX_CHARS):
                self._wishes[update.track_sid] = update.subscribe
        self.subscribe_all()

    def subscribe_all(self) -> None:
        """Bring subscriptions in line with wishes and permissions; the client gets one new map of handles."""
        changed = [
            self._reconcile(track)
            for session in self._session.room.sessions.values()
            for track in session.data_tracks.published.values()
        ]
        if any(changed):
            self.send_handles()

    def consider(self, track: DataTrack) -> None:
        """A data track was published."""
        if self._reconcile(track):
            self.send_handles()

    def drop(self, track: DataTrack) -> None:
        """A data track is gone."""
        self._wishes.pop(track.info.sid, None)
        if self._received.pop(track.handle, None) is not None:
            track.subscribers.discard(self._session)
            self.send_handles()

    def end_all(self) -> list[DataTrack]:
        """The participant is gone; the tracks that go with it."""
        for track in self._received.values():
            track.subscribers.discard(self._session)
        self._received.clear()
        gone = list(self.published.values())
        self.published.clear()
        for track in gone:
            self._session.room.data_track_handles.free(track.handle)
        return gone

    def uproot(self) -> list[DataTrack]:
        """The participant goes to another room: let go of this one's tracks and handles. Its own tracks."""
        for track in self._received.values():
            track.subscribers.discard(self._session)
        self._received.clear()
        self._wishes.clear()
        return list(self.published.values())

    def settle(self) -> None:
        """The participant has come to another room: give its tracks handles there."""
        for track in list(self.published.values()):
            handle = self._session.room.data_track_handles.take()
            if handle is None:
                del self.published[track.info.pub_handle]
            else:
                track.handle = handle

    def repeat_handles(self) -> None:
        """The client was away: tell it again, if there is anything to tell."""
        if self._received:
            self.send_handles()

    def send_handles(self) -> None:
        """Tell the client which handle is which track, all of them."""
        handles = {
            handle: rtc.DataTrackSubscriberHandles.PublishedDataTrack(
                publisher_identity=track.publisher.participant.identity,
                publisher_sid=track.publisher.participant.sid,
                track_sid=track.info.sid,
            )
            for handle, track in self._received.items()
        }
        message = rtc.DataTrackSubscriberHandles(sub_handles=handles)
        self._session.signal.send(rtc.SignalResponse(data_track_subscriber_handles=message))

    def _reconcile(self, track: DataTrack) -> bool:
        """Whether anything changed."""
        publisher = track.publisher
        wanted = self._wishes.get(track.info.sid, self._auto)
        permitted = self._session.participant.permission.can_subscribe and not publisher.participant.hidden
        should = bool(wanted and permitted) and publisher is not self._session
        if should == (track.handle in self._received):
            return False
        if should:
            self._received[track.handle] = track
            track.subscribers.add(self._session)
        else:
            del self._received[track.handle]
            track.subscribers.discard(self._session)
        return True


def publish(session: "Session", request: rtc.PublishDataTrackRequest) -> None:
    """Publish a data track."""
    refusal = _refusal(session, request)
    handle = session.room.data_track_handles.take() if refusal is None else None
    if handle is None:
        reason, message = refusal or (rtc.RequestResponse.LIMIT_EXCEEDED, "too many data tracks")
        session.reply(reason, message=message, publish_data_track=request)
        return
    info = models.DataTrackInfo(
        pub_handle=request.pub_handle,
        sid=session.context.ids.make(DATA_TRACK_PREFIX),
        name=request.name,
        encryption=request.encryption,
        frame_encoding=request.frame_encoding if request.HasField("frame_encoding") else None,
        schema=request.schema if request.HasField("schema") else None,
    )
    track = DataTrack(session, handle, info)
    session.data_tracks.published[request.pub_handle] = track
    response = rtc.PublishDataTrackResponse(info=info)
    session.signal.send(rtc.SignalResponse(publish_data_track_response=response))
    announce(session)
    for other in session.room.sessions.values():
        other.data_tracks.consider(track)


def _refusal(
    session: "Session", request: rtc.PublishDataTrackRequest
) -> tuple[rtc.RequestResponse.Reason, str] | None:
    published = session.data_tracks.published
    if not session.participant.permission.can_publish_data:
        return rtc.RequestResponse.NOT_ALLOWED, "does not have permission to publish data"
    if not 0 < request.pub_handle <= _MAX_HANDLE:
        return rtc.RequestResponse.INVALID_HANDLE, "handle should be > 0 AND < 65536"
    if not 0 < len(request.name) <= _MAX_NAME_CHARS:
        return (
            rtc.RequestResponse.INVALID_NAME,
            "name should not be empty and should not exceed 256 characters",
        )
    if request.pub_handle in published:
        return rtc.RequestResponse.DUPLICATE_HANDLE, "a data track with same handle already exists"
    if any(track.info.name == request.name for track in published.values()):
        return rtc.RequestResponse.DUPLICATE_NAME, "a data track with same name already exists"
    if len(published) >= session.context.config.max_data_tracks:
        return rtc.RequestResponse.LIMIT_EXCEEDED, "too many data tracks"
    return None


def unpublish(session: "Session", request: rtc.UnpublishDataTrackRequest) -> None:
    """End a data track."""
    track = session.data_tracks.published.get(request.pub_handle)
    if track is None:
        session.reply(rtc.RequestResponse.NOT_FOUND, unpublish_data_track=request)
        return
    response = rtc.UnpublishDataTrackResponse(info=track.info)
    session.signal.send(rtc.SignalResponse(unpublish_data_track_response=response))
    remove(track)


def remove(track: DataTrack) -> None:
    """Forget a data track and tell everybody."""
    session = track.publisher
    session.data_tracks.published.pop(track.info.pub_handle, None)
    session.room.data_track_handles.free(track.handle)
    announce(session)
    track.release_subscribers()


def update_subscription(session: "Session", request: rtc.UpdateDataSubscription) -> None:
    """The client subscribes to data tracks, or no longer."""
    session.data_tracks.apply(request)


def relay(session: "Session", packet: bytes) -> None:
    """One packet of a data track; only the handle in it changes. What has no valid header is dropped."""
    if len(packet) < _HEADER_BYTES or packet[0] >> _VERSION_SHIFT:
        return
    track = session.data_tracks.published.get(_HANDLE.unpack_from(packet, _HANDLE_OFFSET)[0])
    if track is None:
        return
    legs = tuple(other.legs.primary for other in track.subscribers if other.participant.active)
    if legs:
        after = _HANDLE_OFFSET + _HANDLE.size
        rewritten = packet[:_HANDLE_OFFSET] + _HANDLE.pack(track.handle) + packet[after:]
        session.context.media.execute(SendData(legs, DATA_TRACK, rewritten))
