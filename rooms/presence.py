"""Forwarding a participant: the same person and tracks in another room as well.

The other room has a participant of the same identity without a client of its own. Its tracks are the forwarded ones:
subscribers there get them from the same place in the data plane. Data stays in the participant's own room.
"""

from dataclasses import replace

from livekit.protocol import models, rtc

from . import publishing
from .errors import InvalidRequest, NotNow
from .join import JoinRequest
from .publication import Publication
from .room import Room
from .session import Session
from .updates import announce

_KIND_DETAIL = "forwarded"


class Nobody:
    """The signal connection of somebody who isn't there (``rooms.ports.SignalSink``)."""

    def send(self, response: rtc.SignalResponse) -> None:
        """Nobody hears it."""

    def close(self, code: int = 1000) -> None:
        """Nothing is open."""


class ForwardedPublication(Publication):
    """A track of a participant in another room; all but its subscribers there is the original's."""

    def __init__(self, publisher: "Presence", original: Publication) -> None:
        super().__init__(publisher, original.cid, original.info)
        self.original = original
        self.dynacast = original.dynacast
        original.forwards.append(self)

    def stop(self) -> None:
        """It is shown here no longer."""
        self.original.forwards.remove(self)
        self.publisher.room.forwarded.pop(self.sid, None)
        self.dynacast.update()


class Presence(Session):
    """A forwarded participant in the room that it is forwarded to."""

    def __init__(self, source: Session, room: Room) -> None:
        claims = source.participant.claims()
        grant = replace(source.participant.grant, room=room.name, can_subscribe=False)
        claims = replace(claims, kind_details=(*claims.kind_details, _KIND_DETAIL), video=grant)
        request = JoinRequest(claims, client=source.participant.client, auto_subscribe=False)
        super().__init__(source.context, room, claims, request, Nobody())
        self.source = source
        self.participant.state = models.ParticipantInfo.ACTIVE

    @property
    def forwarded(self) -> bool:
        """Its client is elsewhere."""
        return True

    def appear(self) -> None:
        """Show it in its room."""
        self.source.presences.append(self)
        self.room.admit(self)
        self.context.observer.participant_joined(self.room.info(), self.info())
        self.mirror()

    def detach(self, reason: models.DisconnectReason) -> None:  # noqa: ARG002
        """The forwarding ends."""
        self.source.presences.remove(self)

    def mirror(self) -> None:
        """Be as the participant now is, with the tracks that it has now."""
        source = self.source
        if source.participant.hidden:
            self.leave(models.UNKNOWN_REASON)
            return
        for name in ("name", "metadata", "attributes"):
            setattr(self.participant, name, getattr(source.participant, name))
        self.publications.policy = source.publications.policy
        mine, theirs = self.publications.published, source.publications.published
        gone = [publication for sid, publication in mine.items() if sid not in theirs]
        for publication in gone:
            publishing.forget(publication)
        new = [original for sid, original in theirs.items() if sid not in mine]
        for original in new:
            mine[original.sid] = self.room.forwarded[original.sid] = ForwardedPublication(self, original)
            copied = publishing.copy(original)
            self.context.observer.track_published(self.room.info(), self.info(), copied)
        announce(self)
        for publication in gone:
            publishing.release_subscribers(publication)
        for other in list(self.room.sessions.values()):
            for publication in mine.values():
                other.subscriptions.reconcile(publication)
                other.subscriptions.apply_settings(publication)
        if gone or new:
            self.room.counts_changed()


def forward(source: Session, destination: Room) -> None:
    """Show a participant in another room too, for as long as it stays in its own; once is enough.

    Raises InvalidRequest, NotNow or RoomFull.
    """
    participant = source.participant
    if destination is source.room:
        raise InvalidRequest("destination room cannot be the same as source room")
    if participant.hidden:
        raise NotNow("a hidden participant can't be forwarded")
    there = destination.sessions.get(participant.identity)
    if isinstance(there, Presence) and there.source is source:
        return
    if there is not None:
        raise NotNow("the destination room has a participant of this identity")
    destination.check_capacity(participant.identity, participant.dependent)
    Presence(source, destination).appear()
