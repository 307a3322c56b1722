"""The end of a session, whoever wanted it."""

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from . import publishing
from .updates import announce_departure

if TYPE_CHECKING:
    from .session import Session

_CLIENT_REASONS = (
    models.CLIENT_INITIATED,
    models.USER_UNAVAILABLE,
    models.USER_REJECTED,
    models.AGENT_ERROR,
)
"""What a client may give as its reason."""


def leave(session: "Session", request: rtc.LeaveRequest) -> None:
    """The client goes. It hears its own leave before the connection closes."""
    reason = request.reason if request.reason in _CLIENT_REASONS else models.CLIENT_INITIATED
    end(session, reason)


def end(
    session: "Session",
    reason: models.DisconnectReason,
    action: rtc.LeaveRequest.Action = rtc.LeaveRequest.DISCONNECT,
    *,
    silently: bool = False,
    replaced: bool = False,
) -> None:
    """Take a participant out of the room.

    ``silently`` closes the signal connection without a leave. ``replaced`` means that the same identity comes
    in at once: clients that know participants by identity are not told of a departure.
    """
    if session.ended:
        return
    session.ended = True
    was_active = session.participant.active
    if silently:
        session.signal.close()
    else:
        session.signal.leave(reason, action)
    session.lifetime.stop()
    session.participant.state = models.ParticipantInfo.DISCONNECTED
    session.participant.disconnect_reason = reason
    session.detach(reason)
    session.room.dismiss(session)
    session.subscriptions.end_all()
    _end_publications(session, replaced)
    session.legs.close()
    session.room.speakers.forget(session)
    session.room.quality.forget(session)
    session.room.rpc.abandon(session)
    observer = session.context.observer
    told = observer.participant_left if was_active else observer.participant_aborted
    told(session.room.info(), session.info())


def _end_publications(session: "Session", replaced: bool) -> None:
    tracks = [*session.publications.published.values(), *session.publications.pending.values()]
    gone = [publication for publication in tracks if publishing.forget(publication)]
    data_tracks = session.data_tracks.end_all()
    announce_departure(session, everyone=not replaced, at_once=bool(gone or data_tracks))
    for publication in gone:
        publishing.release_subscribers(publication)
    for data_track in data_tracks:
        data_track.release_subscribers()
