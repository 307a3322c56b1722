"""Requests and events about subscriptions."""

from typing import TYPE_CHECKING

from livekit.protocol import rtc

from sfu.control import SubscriptionRefused, TrackBound

from .layers import TrackSettings
from .permissions import SubscriptionPolicy

if TYPE_CHECKING:
    from .session import Session


def update_subscription(session: "Session", request: rtc.UpdateSubscription) -> None:
    """Subscribe to tracks, or no longer. Both lists count; the Python SDK fills both with the same tracks."""
    grouped = (sid for group in request.participant_tracks for sid in group.track_sids)
    for track_sid in dict.fromkeys((*request.track_sids, *grouped)):
        session.subscriptions.wish(track_sid, request.subscribe)


def update_track_settings(session: "Session", request: rtc.UpdateTrackSettings) -> None:
    """What the client shows of these tracks, and how large."""
    settings = TrackSettings.from_request(request)
    for track_sid in dict.fromkeys(request.track_sids):
        session.subscriptions.settle(track_sid, settings)


def subscription_permission(session: "Session", request: rtc.SubscriptionPermission) -> None:
    """Who may have this participant's tracks from now on."""
    session.publications.policy = SubscriptionPolicy.from_request(request)
    for publication in list(session.publications.published.values()):
        for other in list(session.room.sessions.values()):
            other.subscriptions.reconcile(publication)
    for presence in list(session.presences):
        presence.mirror()


def track_bound(session: "Session", event: TrackBound) -> None:
    """Media of a subscription can flow."""
    session.subscriptions.bound(event.track_id)


def subscription_refused(session: "Session", event: SubscriptionRefused) -> None:
    """The client's SDP has no codec for the track."""
    session.subscriptions.refused(event.track_id)
