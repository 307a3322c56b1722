"""Moving a connected participant to another room, over the connections that it has.

The client keeps its transports and what it sends on them, and is told ``room_moved``: it then forgets whom it knew and
takes in who is in the other room. To the others it left one room and joined another.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from sfu.control import MoveTransport

from . import departure, publishing
from .errors import InvalidRequest, NotNow
from .ids import PARTICIPANT
from .updates import announce, announce_departure, others

if TYPE_CHECKING:
    from .room import Room
    from .session import Session


def move(session: "Session", destination: "Room") -> None:
    """Take a participant from its room to another. Raises InvalidRequest, NotNow or RoomFull."""
    participant = session.participant
    if destination is session.room:
        raise InvalidRequest("destination room cannot be the same as source room")
    if not (participant.active and session.signal.connected) or session.legs.failed:
        raise NotNow("the participant is not connected at present")
    destination.check_capacity(participant.identity, participant.dependent)
    previous = destination.sessions.get(participant.identity)
    if previous is not None:
        departure.end(previous, models.DUPLICATE_IDENTITY)
    session.end_forwarding(models.UNKNOWN_REASON)
    _leave(session)
    _enter(session, destination)


def _leave(session: "Session") -> None:
    room, observer = session.room, session.context.observer
    published = list(session.publications.published.values())
    data_tracks = session.data_tracks.uproot()
    session.subscriptions.reset()
    room.dismiss(session)
    room.rpc.abandon(session)
    announce_departure(session, everyone=True)
    for publication in published:
        publishing.release_subscribers(publication)
        publication.told_subscribed = False
        observer.track_unpublished(room.info(), session.info(), publishing.copy(publication))
    for track in data_tracks:
        track.release_subscribers()
        room.data_track_handles.free(track.handle)
    room.speakers.forget(session)
    room.quality.forget(session)
    info = session.info()
    info.state = models.ParticipantInfo.DISCONNECTED
    observer.participant_left(room.info(), info)


def _enter(session: "Session", room: "Room") -> None:
    context, participant = session.context, session.participant
    participant.sid = context.ids.make(PARTICIPANT)
    participant.joined_at = context.clock.wall()
    participant.allow(replace(participant.grant, room=room.name))
    session.room = room
    for leg in session.legs.all():
        context.media.execute(MoveTransport(leg, room.router_id, room.settings.playout_delay_ms))
    room.lock.let_in(participant.identity)
    room.admit(session)
    session.data_tracks.settle()
    moved = rtc.RoomMovedResponse(
        room=room.info(),
        token=context.minter.refresh(participant.claims()),
        participant=session.info(),
        other_participants=others(session),
    )
    session.signal.send(rtc.SignalResponse(room_moved=moved))
    announce(session)
    context.observer.participant_joined(room.info(), session.info())
    for publication in session.publications.published.values():
        context.observer.track_published(room.info(), session.info(), publishing.copy(publication))
        for other in list(room.sessions.values()):
            other.subscriptions.reconcile(publication)
    session.subscriptions.reconcile_all()
    for other in room.sessions.values():
        other.data_tracks.subscribe_all()
