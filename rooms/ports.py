"""What the model of a call needs from outside: media, ways back to clients, tokens, a clock, an audience."""

from collections.abc import Sequence
from typing import Protocol

from livekit.protocol import models, rtc

from auth.grants import Claims
from sfu.control import Command


class MediaPlane(Protocol):
    """The data plane as seen from above the line."""

    def execute(self, command: Command) -> None:
        """Carry out a command. Its events come later, to ``RoomService.on_media_event``, never from here."""


class SignalSink(Protocol):
    """One client's signal connection."""

    def send(self, response: rtc.SignalResponse) -> None:
        """Queue a message. Never blocks or raises; the message may be shared, so it must not be changed.

        A sink whose queue is full closes its connection and reports the loss like any other.
        """

    def close(self, code: int = 1000) -> None:
        """Close the connection after what was queued has been sent."""


class TokenMinter(Protocol):
    """Signs the tokens that clients reconnect with."""

    def refresh(self, claims: Claims) -> str:
        """A fresh token of the same issuer with these claims; empty if that may not be given any more."""


class Clock(Protocol):
    """Both kinds of time, in seconds."""

    def now(self) -> float:
        """Monotonic; the same clock that ``RoomService.on_timeout`` is called with."""

    def wall(self) -> float:
        """Since the epoch."""


class IceServers(Protocol):
    """Says which STUN and TURN servers a participant is to use."""

    def for_participant(self, claims: Claims, participant_sid: str) -> Sequence[rtc.ICEServer]:
        """Servers with credentials for this participant; none leaves the client to its own defaults."""


class RoomObserver(Protocol):
    """Hears what happens in rooms, in order. The messages are snapshots that may be kept."""

    def room_started(self, room: models.Room) -> None: ...

    def room_finished(self, room: models.Room) -> None: ...

    def participant_joined(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """A participant's media is connected for the first time."""

    def participant_left(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """A participant of whom ``participant_joined`` told is gone."""

    def participant_aborted(self, room: models.Room, participant: models.ParticipantInfo) -> None:
        """A participant is gone whose media never connected."""

    def track_published(
        self, room: models.Room, participant: models.ParticipantInfo, track: models.TrackInfo
    ) -> None: ...

    def track_unpublished(
        self, room: models.Room, participant: models.ParticipantInfo, track: models.TrackInfo
    ) -> None: ...


class Unobserved:
    """Nobody listens."""

    def room_started(self, room: models.Room) -> None: ...

    def room_finished(self, room: models.Room) -> None: ...

    def participant_joined(self, room: models.Room, participant: models.ParticipantInfo) -> None: ...

    def participant_left(self, room: models.Room, participant: models.ParticipantInfo) -> None: ...

    def participant_aborted(self, room: models.Room, participant: models.ParticipantInfo) -> None: ...

    def track_published(
        self, room: models.Room, participant: models.ParticipantInfo, track: models.TrackInfo
    ) -> None: ...

    def track_unpublished(
        self, room: models.Room, participant: models.ParticipantInfo, track: models.TrackInfo
    ) -> None: ...


class NoIceServers:
    """Clients reach the server without help."""

    def for_participant(self, claims: Claims, participant_sid: str) -> Sequence[rtc.ICEServer]:  # noqa: ARG002
        return ()
