"""What whoever runs a call does with it: mute, lock, end, pass on. Nothing here asks who wants it."""

import json
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from livekit.protocol import models

from . import moderation
from .errors import InvalidRequest
from .roles import HOST, ROLE, SPEAKER

if TYPE_CHECKING:
    from .publication import Publication
    from .room import Room
    from .session import Session

TOPIC = "hubbub.control"
"""Of data packets by which participants ask for this, and are told of it."""


def mute(session: "Session", track_sid: str = "") -> list[str]:
    """Mute one track of a participant, or all that can be heard; the sids of those that weren't muted before."""
    tracks = session.publications.published.values()
    if track_sid:
        return _mute(track for track in tracks if track.sid == track_sid)
    return _mute(track for track in tracks if track.info.type == models.AUDIO)


def mute_all(room: "Room", but: str = "") -> list[str]:
    """Mute everybody's audio, save that of one identity; the sids of the tracks that weren't muted before."""
    others = [session for session in room.sessions.values() if session.participant.identity != but]
    return [sid for session in others if not session.forwarded for sid in mute(session)]


def _mute(tracks: "Iterable[Publication]") -> list[str]:
    heard = [track for track in tracks if not track.info.muted]
    for track in heard:
        moderation.mute_track(track.publisher, track.sid, True)
    return [track.sid for track in heard]


def lock(room: "Room") -> None:
    """Let nobody new in. Agents and recorders, who come for those who are here, still may."""
    if not room.lock.locked:
        room.lock.close(room.sessions)
        _tell_of_lock(room)


def unlock(room: "Room") -> None:
    """Let everybody in again."""
    if room.lock.locked:
        room.lock.open()
        _tell_of_lock(room)


def end(room: "Room") -> None:
    """End it for everybody."""
    room.close(models.ROOM_DELETED)


def pass_host(hosts: Collection["Session"], successor: "Session") -> None:
    """Make somebody else the host, and those who were speakers. Raises InvalidRequest."""
    if successor in hosts:
        raise InvalidRequest("somebody else must become the host")
    config = successor.context.config
    moderation.change_role(successor, config.known_role(HOST))
    for host in hosts:
        moderation.change_role(host, config.known_role(SPEAKER))


def hosts_of(room: "Room") -> list["Session"]:
    """Who has the role of host."""
    sessions = (session for session in room.sessions.values() if not session.forwarded)
    return [session for session in sessions if session.participant.attributes.get(ROLE) == HOST]


def _tell_of_lock(room: "Room") -> None:
    payload = json.dumps({"event": "locked" if room.lock.locked else "unlocked"}).encode()
    room.data.say(TOPIC, payload)
