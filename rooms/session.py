"""A participant's session: everything that one join brought into the room, and its requests from then on."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from livekit.protocol import models, rtc

from auth.grants import Claims, VideoGrant

from . import (
    data_blobs,
    data_tracks,
    departure,
    metadata,
    negotiation,
    publishing,
    resume,
    simulate,
    subscribing,
)
from .context import Context
from .data import DataInbox
from .data_blobs import DataBlobs
from .data_tracks import DataTracks
from .gate import HeldRequests
from .ids import PARTICIPANT
from .join import JoinRequest
from .legs import Legs
from .lifetime import Lifetime
from .participant import Participant
from .ports import SignalSink
from .publication import Publications
from .rate import participant_rate
from .room import Room
from .signal import Signal
from .subscription import Subscriptions
from .updates import announce
from .welcome import join_response

if TYPE_CHECKING:
    from .presence import Presence

_GRANTS_REMEMBERED = 16


class Session:
    """Holds what belongs to one participant; what happens to it is in the files by idea."""

    def __init__(
        self, context: Context, room: Room, claims: Claims, request: JoinRequest, sink: SignalSink
    ) -> None:
        self.context = context
        self.room = room
        self.participant = Participant(
            context.ids.make(PARTICIPANT),
            claims,
            request.client,
            context.clock.wall(),
            context.server.region,
        )
        self.signal = Signal(sink)
        self.legs = Legs(self, request.single_pc)
        self.publications = Publications()
        self.subscriptions = Subscriptions(self, request.auto_subscribe, request.adaptive_stream)
        self.data = DataInbox(participant_rate(context.config.limits_of(claims.issuer)))
        self.data_blobs = DataBlobs()
        self.data_tracks = DataTracks(self, request.auto_subscribe_data_track)
        self.lifetime = Lifetime(self)
        self.simulation = simulate.Simulation()
        self.held = HeldRequests(self, context.config.max_held_requests)
        self.granted: deque[VideoGrant] = deque(maxlen=_GRANTS_REMEMBERED)
        """What its tokens granted, so that an old one of ours isn't taken for a right that was taken away."""
        self.presences: list[Presence] = []
        """Where else the participant is shown."""
        self.ended = False

    @property
    def forwarded(self) -> bool:
        """Whether this is only how a participant of another room is shown here."""
        return False

    def open(self, request: JoinRequest) -> None:
        """Join: the order is what clients count on."""
        self.room.admit(self)
        self.legs.open(tcp_only=self.participant.identity in self.room.force_tcp)
        self.room.force_tcp.discard(self.participant.identity)
        self.signal.send(rtc.SignalResponse(join=join_response(self)))
        self.participant.state = models.ParticipantInfo.JOINED
        announce(self)
        for track in request.add_tracks:
            publishing.add_track(self, track)
        # Before the offer, so that the first answer already carries what there is to see.
        self.subscriptions.reconcile_all()
        self.data_tracks.subscribe_all()
        self.refresh_token()
        if request.publisher_offer is not None:
            self.handle(rtc.SignalRequest(offer=request.publisher_offer))
        self.lifetime.start()

    def handle(self, request: rtc.SignalRequest) -> None:
        """Carry out one request; what can't be done is answered, never raised. Unknown ones are skipped."""
        if self.held.holding and not request.HasField("leave"):
            if not self.held.hold(request):
                self.leave(models.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT)
            return
        kind = request.WhichOneof("message")
        handler = _HANDLERS.get(kind) if kind is not None else None
        if handler is not None and not self.ended:
            handler(self, getattr(request, kind))

    def signal_lost(self, sink: SignalSink) -> None:
        """A signal connection is gone. It may be an old one, that a resume has replaced already."""
        if self.signal.uses(sink) and not self.ended:
            self.signal.lose()
            self.lifetime.signal_lost()

    def leave(
        self,
        reason: models.DisconnectReason,
        action: rtc.LeaveRequest.Action = rtc.LeaveRequest.DISCONNECT,
    ) -> None:
        """End it and tell the client how to go on."""
        departure.end(self, reason, action)

    def detach(self, reason: models.DisconnectReason) -> None:
        """The session ends: so does what depends on it elsewhere."""
        self.end_forwarding(reason)

    def end_forwarding(self, reason: models.DisconnectReason) -> None:
        """Show the participant nowhere else."""
        for presence in list(self.presences):
            presence.leave(reason)

    def info(self) -> models.ParticipantInfo:
        """A snapshot for clients."""
        return self.participant.info(self.publications.infos(), self.data_tracks.infos())

    def refresh_token(self) -> None:
        """Send a token that says what now holds; clients come back with it."""
        token = self.context.minter.refresh(self.participant.claims())
        self.granted.append(self.participant.grant)
        if token:
            self.signal.send(rtc.SignalResponse(refresh_token=token))

    def reply(
        self,
        reason: rtc.RequestResponse.Reason,
        *,
        message: str = "",
        request_id: int = 0,
        **request: Any,
    ) -> None:
        """Answer a request, which is repeated under its own name."""
        response = rtc.RequestResponse(request_id=request_id, reason=reason, message=message, **request)
        self.signal.send(rtc.SignalResponse(request_response=response))


_HANDLERS: dict[str, Callable[[Session, Any], None]] = {
    "offer": negotiation.offer,
    "answer": negotiation.answer,
    "trickle": negotiation.trickle,
    "add_track": publishing.add_track,
    "mute": publishing.mute,
    "update_audio_track": publishing.update_audio_track,
    "update_video_track": publishing.update_video_track,
    "subscription": subscribing.update_subscription,
    "track_setting": subscribing.update_track_settings,
    "subscription_permission": subscribing.subscription_permission,
    "leave": departure.leave,
    "sync_state": resume.sync_state,
    "simulate": simulate.simulate,
    "update_metadata": metadata.update_metadata,
    "publish_data_track_request": data_tracks.publish,
    "unpublish_data_track_request": data_tracks.unpublish,
    "update_data_subscription": data_tracks.update_subscription,
    "store_data_blob_request": data_blobs.store,
    "get_data_blob_request": data_blobs.get,
}
