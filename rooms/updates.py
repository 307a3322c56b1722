"""Who is told of a change, and how: ParticipantUpdate and RoomUpdate.

Everything is told at once, except that large rooms hear a little later of those who publish nothing
(:mod:`rooms.news`).
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

if TYPE_CHECKING:
    from .room import Room
    from .session import Session

MAX_UPDATE_BYTES = 128 * 1024
"""A longer list of participants is sent in several messages, as LiveKit does."""


def announce(session: "Session") -> None:
    """Tell everybody, the participant included, how it now is; of somebody hidden only they are told."""
    session.participant.version += 1
    response = update([session.info()])
    news = session.room.news
    if session.participant.hidden:
        session.signal.send(response)
    elif news.may_wait(session):
        session.signal.send(response)
        news.changed(session)
    else:
        news.forget(session)
        for listener in session.room.sessions.values():
            listener.signal.send(response)
    for presence in list(session.presences):
        presence.mirror()


def announce_departure(session: "Session", everyone: bool, *, at_once: bool = False) -> None:
    """Tell the others that somebody is gone; without ``everyone`` only those who can't see a replacement.

    ``at_once``, large rooms don't wait for the news: because tracks go too, or the participant itself is still here
    and must not hear it.
    """
    if session.participant.hidden:
        return
    session.participant.version += 1
    info = session.participant.info()
    info.state = models.ParticipantInfo.DISCONNECTED
    if everyone and not at_once and session.room.news.may_wait(session):
        session.room.news.departed(session, info)
        return
    session.room.news.forget(session)
    response = update([info])
    for listener in session.room.sessions.values():
        if listener is not session and (everyone or listener.participant.protocol <= LAST_WITHOUT_IDENTITY):
            listener.signal.send_departure(response, info)


LAST_WITHOUT_IDENTITY = 11
"""Up to this client protocol a new sid of a known identity is somebody else to the client."""


def send_missed(session: "Session") -> None:
    """Tell a client that comes back who left meanwhile."""
    for participants in split(session.signal.take_missed()):
        session.signal.send(update(participants))


def send_everybody(session: "Session") -> None:
    """Tell a client that comes back of everybody it may see, itself included."""
    for participants in split([*others(session), session.info()]):
        session.signal.send(update(participants))


def others(session: "Session") -> list[models.ParticipantInfo]:
    """Everybody else whom this participant may see."""
    return [
        other.info()
        for other in session.room.sessions.values()
        if other is not session and not other.participant.hidden
    ]


def announce_room(room: "Room") -> None:
    """Tell everybody how the room now is."""
    response = rtc.SignalResponse(room_update=rtc.RoomUpdate(room=room.info()))
    for session in room.sessions.values():
        session.signal.send(response)


def split(infos: Iterable[models.ParticipantInfo]) -> Iterator[list[models.ParticipantInfo]]:
    """Groups that stay under :data:`MAX_UPDATE_BYTES`; somebody larger than that is a group alone."""
    group: list[models.ParticipantInfo] = []
    size = 0
    for info in infos:
        if group and size + info.ByteSize() > MAX_UPDATE_BYTES:
            yield group
            group, size = [], 0
        group.append(info)
        size += info.ByteSize()
    if group:
        yield group


def update(infos: list[models.ParticipantInfo]) -> rtc.SignalResponse:
    """The message about these participants."""
    return rtc.SignalResponse(update=rtc.ParticipantUpdate(participants=infos))
