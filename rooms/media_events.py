"""From what the data plane says to whom it concerns."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sfu import control

from . import data, lifetime, negotiation, publishing, subscribing

if TYPE_CHECKING:
    from .context import Context
    from .session import Session


def dispatch(context: "Context", event: control.Event) -> None:
    """Hand an event to the session, room or track that it is about; those that are gone don't care."""
    if isinstance(event, control.Speakers | control.Quality):
        room = context.directory.rooms.get(event.router_id)
        if room is None:
            return
        if isinstance(event, control.Speakers):
            room.speakers.update(event.levels)
        else:
            room.quality.update(event.scores)
    elif isinstance(event, control.LayerStarted):
        publishing.layer_started(context, event)
    else:
        session = context.directory.sessions.get(event.transport_id)
        if session is not None and not session.ended:
            _HANDLERS[type(event)](session, event)


_HANDLERS: "dict[type, Callable[[Session, Any], None]]" = {
    control.TransportConnected: lifetime.transport_connected,
    control.TransportFailed: lifetime.transport_failed,
    control.ReceiverOverflow: lifetime.receiver_overflow,
    control.AnswerReady: negotiation.answer_ready,
    control.OfferReady: negotiation.offer_ready,
    control.NegotiationFailed: negotiation.negotiation_failed,
    control.SectionsNeeded: negotiation.sections_needed,
    control.TrackStarted: publishing.track_started,
    control.TrackEnded: publishing.track_ended,
    control.TrackBound: subscribing.track_bound,
    control.SubscriptionRefused: subscribing.subscription_refused,
    control.ChannelOpened: data.channel_opened,
    control.DataReceived: data.data_received,
}
