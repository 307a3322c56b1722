"""Coming back to a session after the signal connection was lost."""

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from auth.grants import Claims, VideoGrant

from . import moderation
from .join import JoinRequest
from .ports import SignalSink
from .signal import Signal
from .updates import send_everybody, send_missed
from .welcome import reconnect_response

if TYPE_CHECKING:
    from .session import Session


def resume(
    session: "Session | None", request: JoinRequest, claims: Claims, sink: SignalSink
) -> "Session | None":
    """Go on with a session over another connection, or tell the client how else to go on.

    ``claims`` are those admitted with the request.
    """
    if session is None or session.ended or session.forwarded or session.legs.single != request.single_pc:
        Signal(sink).leave(models.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT)
        return None
    if request.participant_sid not in ("", session.participant.sid):
        # Somebody joined with this identity since: what the lost connection couldn't be told.
        Signal(sink).leave(models.DUPLICATE_IDENTITY)
        return None
    if session.simulation.drops_resume(session.context.clock.now()):
        sink.close()
        return None
    session.signal.attach(sink)
    session.lifetime.resumed()
    session.signal.send(rtc.SignalResponse(reconnect=reconnect_response(session)))
    send_missed(session)
    send_everybody(session)
    session.signal.send(rtc.SignalResponse(room_update=rtc.RoomUpdate(room=session.room.info())))
    _lose_rights(session, claims.video or request.grant)
    session.refresh_token()
    _catch_up(session)
    if session.simulation.drops_after_resume(session.context.clock.now()):
        session.signal.close()
        session.lifetime.signal_lost()
    return session


def _lose_rights(session: "Session", grant: VideoGrant) -> None:
    """A token that grants less than the participant has was made since by somebody who wants that."""
    left = session.participant.grant.limited_to(grant)
    if grant not in session.granted and left != session.participant.grant:
        moderation.change_grant(session, left)


def _catch_up(session: "Session") -> None:
    """Say again what may have been missed and isn't part of an update."""
    session.legs.restart_subscribing()
    for publication in session.publications.published.values():
        publication.dynacast.repeat()
    session.subscriptions.reconcile_all()
    session.data_tracks.repeat_handles()
    session.room.speakers.refresh(session)


def sync_state(session: "Session", request: rtc.SyncState) -> None:
    """What the client believes. Tracks that it publishes and nobody knows mean that it must begin anew."""
    unknown_track = any(
        session.publications.find(published.track.sid) is None for published in request.publish_tracks
    )
    unknown_data_track = any(
        not session.data_tracks.knows(published.info.sid) for published in request.publish_data_tracks
    )
    if unknown_track or unknown_data_track:
        session.leave(models.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT)
        return
    subscription = request.subscription
    grouped = (sid for group in subscription.participant_tracks for sid in group.track_sids)
    for track_sid in dict.fromkeys((*subscription.track_sids, *grouped)):
        session.subscriptions.wish(track_sid, subscription.subscribe)
    for track_sid in request.track_sids_disabled:
        session.subscriptions.disable(track_sid)
    session.data_tracks.apply(request.data_subscription)
