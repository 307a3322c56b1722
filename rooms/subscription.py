"""What a participant receives: wishes and permissions on one side, what the data plane was told on the other.

The two are brought together by :meth:`Subscriptions.reconcile`, called whenever either may have changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from sfu.control import SetLayers, Subscribe, Unsubscribe

from .ids import MAX_CHARS
from .layers import HIGHEST_TEMPORAL, OFF, TrackSettings, spatial_layer, temporal_layer, wanted_quality
from .timers import Waits

if TYPE_CHECKING:
    from .publication import Publication
    from .session import Session

_NOT_FOUND_S = 60.0
"""How long a track may be asked for before it exists."""
_MAX_UNKNOWN = 1000
"""Tracks asked for that don't exist, at one time."""
_MAX_REMEMBERED = 10_000
"""Wishes and settings kept for each participant."""


@dataclass(slots=True)
class Subscription:
    """A track that flows, or is about to."""

    enabled: bool
    spatial: int
    temporal: int
    quality: int
    """The quality wanted, for dynacast: a VideoQuality or OFF."""
    bound: bool = False
    """Whether media can flow."""


class Subscriptions:
    """Everything that one participant receives or would like to."""

    def __init__(self, session: "Session", auto: bool, adaptive: bool) -> None:
        self._session = session
        self._auto = auto
        self._default = TrackSettings(quality=models.LOW if adaptive else models.HIGH)
        self._best: int = models.HIGH
        """The best quality that the participant may have, whatever it asks for; OFF for no video."""
        self.active: dict[str, Publication] = {}
        """By track sid."""
        self._wishes: dict[str, bool] = {}
        self._settings: dict[str, TrackSettings] = {}
        self._unknown = Waits[str]()
        """Tracks asked for that are not there."""
        self._refused: set[str] = set()
        """Tracks whose codec the client can't take."""
        self._told_forbidden: set[str] = set()

    # --- what the client asks ---

    def wish(self, track_sid: str, subscribe: bool) -> None:
        """The client wants a track, or doesn't."""
        if not _has_room(self._wishes, track_sid):
            return
        self._wishes[track_sid] = subscribe
        if subscribe:
            self._refused.discard(track_sid)
        publication = self._session.room.find_published(track_sid)
        if publication is not None and not self._concealed(publication):
            self.reconcile(publication)
        elif subscribe:
            self._await(track_sid)
        else:
            self._unknown.end(track_sid)
            self._wishes.pop(track_sid)

    def settle(self, track_sid: str, settings: TrackSettings) -> None:
        """The client says which layer of a track it needs; it may do so before the track is there."""
        if not _has_room(self._settings, track_sid):
            return
        self._settings[track_sid] = settings
        publication = self.active.get(track_sid)
        if publication is not None:
            self.apply_settings(publication)

    def disable(self, track_sid: str) -> None:
        """The client doesn't show a track at present."""
        self.settle(track_sid, replace(self.settings(track_sid), disabled=True))

    def settings(self, track_sid: str) -> TrackSettings:
        """What the client said of a track, or what holds until it does."""
        return self._settings.get(track_sid, self._default)

    # --- bringing both sides together ---

    def reconcile(self, publication: "Publication") -> None:
        """Subscribe or unsubscribe, as wishes and permissions are now."""
        if self._concealed(publication):
            self._end(publication)
            return
        sid = publication.sid
        self._unknown.end(sid)
        wanted = self._wishes.get(sid, self._auto)
        permitted = self._permitted(publication)
        if wanted:
            self._tell_permission(publication, permitted)
        may = permitted and bool(self._session.participant.permission.can_subscribe)
        if wanted and may and self._ready() and sid not in self._refused:
            self._begin(publication)
        elif not (wanted and may):
            self._end(publication)

    def reconcile_all(self) -> None:
        """Look at every track in the room."""
        for publication in self._session.room.published():
            self.reconcile(publication)

    def apply_settings(self, publication: "Publication") -> None:
        """Tell the data plane which layer is wanted now, when that has changed."""
        subscription = publication.subscriptions.get(self._session)
        leg = self._session.legs.subscribing
        if subscription is None or leg is None:
            return
        wanted = self._subscription(publication)
        wanted.bound = subscription.bound
        if wanted == subscription:
            return
        publication.subscriptions[self._session] = wanted
        command = SetLayers(leg, publication.track_id, wanted.enabled, wanted.spatial, wanted.temporal)
        self._session.context.media.execute(command)
        publication.dynacast.update()

    def limit(self, quality: int) -> None:
        """Have no better video than this VideoQuality from now on; models.OFF for none."""
        self._best = OFF if quality == models.OFF else quality
        for publication in list(self.active.values()):
            self.apply_settings(publication)

    def forget(self, publication: "Publication") -> None:
        """The track is gone."""
        self._end(publication)
        for memory in (self._wishes, self._settings):
            memory.pop(publication.sid, None)
        self._refused.discard(publication.sid)
        self._told_forbidden.discard(publication.sid)

    def end_all(self) -> None:
        """The participant is gone."""
        self._unknown.end_all()
        for publication in list(self.active.values()):
            self._end(publication)

    def reset(self) -> None:
        """The participant goes to another room, where all of this means nothing."""
        self.end_all()
        for memory in (self._wishes, self._settings):
            memory.clear()
        self._refused.clear()
        self._told_forbidden.clear()

    # --- what the data plane says ---

    def bound(self, track_sid: str) -> None:
        """Media can flow; the publisher hears of its first visible subscriber."""
        publication = self.active.get(track_sid)
        if publication is None:
            return
        publication.subscriptions[self._session].bound = True
        if not publication.told_subscribed and not self._session.participant.hidden:
            publication.told_subscribed = True
            subscribed = rtc.TrackSubscribed(track_sid=track_sid)
            publication.publisher.signal.send(rtc.SignalResponse(track_subscribed=subscribed))
        self._session.room.speakers.refresh(self._session)

    def refused(self, track_sid: str) -> None:
        """The client can't take the codec; it stays without the track until it asks for it again."""
        publication = self.active.get(track_sid)
        if publication is None:
            return
        self._refused.add(track_sid)
        self._end(publication)
        self._respond(track_sid, models.SE_CODEC_UNSUPPORTED)

    def publishers(self) -> "set[Session]":
        """Whose tracks are received."""
        return {publication.publisher for publication in self.active.values()}

    # --- inside ---

    def _concealed(self, publication: "Publication") -> bool:
        """One's own track, or one of somebody hidden: as good as none."""
        return publication.publisher is self._session or publication.publisher.participant.hidden

    def _permitted(self, publication: "Publication") -> bool:
        """Whether the publisher lets this participant have the track; recorders get everything."""
        me = self._session.participant
        policy = publication.publisher.publications.policy
        return bool(me.permission.recorder) or policy.allows(me.identity, me.sid, publication.sid)

    def _ready(self) -> bool:
        """One peer connection takes subscriptions from its first answer on; two, once they are connected."""
        return self._session.legs.single or self._session.participant.active

    def _subscription(self, publication: "Publication") -> Subscription:
        settings = self.settings(publication.sid)
        quality = wanted_quality(publication.info, settings)
        video = publication.info.type == models.VIDEO
        if video:
            quality = min(quality, self._best)
        return Subscription(
            enabled=quality != OFF,
            spatial=spatial_layer(publication.info, quality),
            temporal=temporal_layer(settings.fps) if video else HIGHEST_TEMPORAL,
            quality=quality,
        )

    def _begin(self, publication: "Publication") -> None:
        if publication.sid in self.active:
            return
        subscription = self._subscription(publication)
        self.active[publication.sid] = publication
        publication.subscriptions[self._session] = subscription
        command = Subscribe(
            transport_id=self._session.legs.open_subscribing(),
            track_id=publication.track_id,
            stream_id=publication.stream_id(),
            enabled=subscription.enabled,
            spatial=subscription.spatial,
            temporal=subscription.temporal,
        )
        self._session.context.media.execute(command)
        publication.dynacast.update()

    def _end(self, publication: "Publication") -> None:
        if self.active.pop(publication.sid, None) is None:
            return
        publication.subscriptions.pop(self._session, None)
        leg = self._session.legs.subscribing
        if leg is not None and not self._session.ended:
            self._session.context.media.execute(Unsubscribe(leg, publication.track_id))
            self._session.room.speakers.refresh(self._session)
        publication.dynacast.update()

    def _tell_permission(self, publication: "Publication", allowed: bool) -> None:
        """Clients take every track to be allowed until told otherwise."""
        told_allowed = publication.sid not in self._told_forbidden
        if allowed == told_allowed or not self._session.signal.connected:
            return
        if allowed:
            self._told_forbidden.discard(publication.sid)
        else:
            self._told_forbidden.add(publication.sid)
        update = rtc.SubscriptionPermissionUpdate(
            participant_sid=publication.publisher.participant.sid, track_sid=publication.sid, allowed=allowed
        )
        self._session.signal.send(rtc.SignalResponse(subscription_permission_update=update))

    def _await(self, track_sid: str) -> None:
        if track_sid in self._unknown:
            return
        if len(self._unknown) >= _MAX_UNKNOWN:
            self._wishes.pop(track_sid, None)
            self._respond(track_sid, models.SE_TRACK_NOTFOUND)
            return
        timer = self._session.context.later(_NOT_FOUND_S, lambda: self._not_found(track_sid))
        self._unknown.begin(track_sid, timer)

    def _not_found(self, track_sid: str) -> None:
        self._unknown.end(track_sid)
        self._wishes.pop(track_sid, None)
        self._respond(track_sid, models.SE_TRACK_NOTFOUND)

    def _respond(self, track_sid: str, error: models.SubscriptionError) -> None:
        response = rtc.SubscriptionResponse(track_sid=track_sid, err=error)
        self._session.signal.send(rtc.SignalResponse(subscription_response=response))


def _has_room(remembered: Mapping[str, object], track_sid: str) -> bool:
    """Whether something of a track may be remembered, which need not be there."""
    return track_sid in remembered or (len(remembered) < _MAX_REMEMBERED and len(track_sid) <= MAX_CHARS)
