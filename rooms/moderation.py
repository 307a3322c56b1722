"""What the server does to a participant at the wish of its API or of a moderator."""

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from auth.grants import VideoGrant

from . import data_tracks, publishing
from .permissions import may_publish
from .roles import ROLE, Role
from .updates import announce, announce_departure, announce_room

if TYPE_CHECKING:
    from .bans import Ban
    from .room import Room
    from .session import Session


def change_grant(session: "Session", grant: VideoGrant) -> None:
    """Let a participant do more or less than its token said, from now on.

    What it may no longer publish ends at once. Somebody who becomes hidden leaves, as far as the others can see.
    Whoever may do something else than their role says has no role any more.
    """
    participant = session.participant
    was_recorder = participant.permission.recorder
    if grant.hidden and not participant.hidden:
        announce_departure(session, everyone=True, at_once=True)
    participant.allow(grant)
    _give_up_role_that_does_not_hold(session)
    announce(session)
    _end_forbidden(session)
    session.subscriptions.reconcile_all()
    session.data_tracks.subscribe_all()
    for other in list(session.room.sessions.values()):
        for publication in list(session.publications.published.values()):
            other.subscriptions.reconcile(publication)
        other.data_tracks.subscribe_all()
    if participant.permission.recorder != was_recorder:
        announce_room(session.room)
    session.room.counts_changed()
    session.refresh_token()


def change_role(session: "Session", role: Role) -> None:
    """Let a participant do what this role says, and show everybody that it has it."""
    session.participant.attributes[ROLE] = role.name
    change_grant(session, role.applied(session.participant.grant))


def _give_up_role_that_does_not_hold(session: "Session") -> None:
    participant = session.participant
    role = session.context.config.role(participant.attributes.get(ROLE, ""))
    if role is not None and not role.describes(participant.grant):
        del participant.attributes[ROLE]


def _end_forbidden(session: "Session") -> None:
    permission = session.participant.permission
    tracks = (*session.publications.published.values(), *session.publications.pending.values())
    for publication in tracks:
        if not may_publish(permission, publication.info.source):
            publishing.unpublish(publication)
    if not permission.can_publish_data:
        for track in list(session.data_tracks.published.values()):
            data_tracks.remove(track)


def mute_track(session: "Session", track_sid: str, muted: bool) -> models.TrackInfo | None:
    """Mute a track for its publisher, who is told to; its TrackInfo, or None when there is no such track."""
    publication = session.publications.find(track_sid)
    if publication is None:
        return None
    session.signal.send(rtc.SignalResponse(mute=rtc.MuteTrackRequest(sid=track_sid, muted=muted)))
    publishing.set_muted(publication, muted)
    return publication.info


def remove(session: "Session") -> None:
    """Put a participant out of the room."""
    session.room.lock.forget(session.participant.identity)
    session.leave(models.PARTICIPANT_REMOVED)


def expel(session: "Session", revoke_before: float | None = None) -> None:
    """Put a participant out for good: only a token that is issued later lets them in again.

    Where somebody is only shown, from another room, they come with no token.
    """
    if not session.forwarded:
        session.context.bans.revoke(session.room.name, session.participant.identity, revoke_before)
    remove(session)


def remove_banned(room: "Room", ban: "Ban") -> None:
    """Put out whom a new ban is for."""
    now = room.context.clock.wall()
    for session in list(room.sessions.values()):
        participant = session.participant
        if ban.concerns(room.name, participant.identity, participant.client.address, now):
            remove(session)
