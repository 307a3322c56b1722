"""Rooms, participants and tracks as they are now. The objects are names: each call looks, and acts, at once.

What is not there any more raises ``RoomNotFound`` or ``ParticipantNotFound`` (``rooms.errors``).
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from livekit.protocol import models
from livekit.protocol import room as room_messages

from auth.grants import Claims, VideoGrant
from auth.keys import KeyRing
from hubbub.tokens import join_token
from rooms.administration import Administration, ProfileChange
from rooms.errors import ParticipantNotFound, RoomNotFound

from .entrance import Entrance
from .local_participant import LocalParticipant


@dataclass(frozen=True, slots=True)
class Track:
    """A published track, as it was when it was asked for."""

    sid: str
    name: str
    kind: str
    """``audio`` or ``video``."""
    source: str
    """``camera``, ``microphone``, ``screen_share``, ``screen_share_audio`` or ``unknown``."""
    muted: bool
    mime_type: str
    info: models.TrackInfo
    """All of it."""

    @classmethod
    def of(cls, info: models.TrackInfo) -> "Track":
        """From LiveKit's description."""
        return cls(
            info.sid,
            info.name,
            models.TrackType.Name(info.type).lower(),
            models.TrackSource.Name(info.source).lower(),
            info.muted,
            info.mime_type,
            info,
        )


class Participant:
    """Somebody in a room, by identity."""

    def __init__(self, administration: Administration, room: str, identity: str) -> None:
        self._administration = administration
        self.room_name = room
        self.identity = identity

    def __repr__(self) -> str:
        return f"<Participant {self.identity!r} in {self.room_name!r}>"

    @property
    def info(self) -> models.ParticipantInfo:
        """Everything that clients are told, as LiveKit's message."""
        return self._administration.participant(self.room_name, self.identity)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.info.name

    @property
    def metadata(self) -> str:
        """What the application wants to be known of it."""
        return self.info.metadata

    @property
    def attributes(self) -> dict[str, str]:
        """The same as keys and values."""
        return dict(self.info.attributes)

    @property
    def tracks(self) -> list[Track]:
        """What it publishes now."""
        return [Track.of(info) for info in self.info.tracks]

    @property
    def present(self) -> bool:
        """Whether it is (still) in the room."""
        try:
            return bool(self.info.sid)
        except (RoomNotFound, ParticipantNotFound):
            return False

    def update(
        self, *, name: str = "", metadata: str = "", attributes: Mapping[str, str] | None = None
    ) -> None:
        """Change what it is called and what is known of it; an attribute of an empty value is deleted."""
        change = ProfileChange(name=name, metadata=metadata, attributes=dict(attributes or {}))
        self._administration.update_participant(self.room_name, self.identity, change)

    def allow(self, **rights: Any) -> None:
        """Change what it may do: fields of the video grant, such as ``can_publish=False``."""
        self._administration.change_rights(self.room_name, self.identity, rights)

    def mute(self, track_sid: str, muted: bool = True) -> None:
        """Mute a track; unmuting works where ``room.enable_remote_unmute`` is configured."""
        self._administration.mute_track(self.room_name, self.identity, track_sid, muted)

    def send_data(self, payload: bytes | str, *, topic: str = "", reliable: bool = True) -> None:
        """Send it data."""
        _send(self._administration, self.room_name, payload, topic, reliable, (self.identity,))

    def remove(self) -> None:
        """Put it out of the room."""
        self._administration.remove_participant(self.room_name, self.identity)


class Room:
    """A room, by name."""

    def __init__(self, administration: Administration, keys: KeyRing, entrance: Entrance, name: str) -> None:
        self._administration = administration
        self._keys = keys
        self._entrance = entrance
        self.name = name

    def __repr__(self) -> str:
        return f"<Room {self.name!r}>"

    @property
    def info(self) -> models.Room:
        """Everything that clients are told, as LiveKit's message. Raises RoomNotFound."""
        return self._administration.room(self.name).info()

    @property
    def sid(self) -> str:
        """Which of the rooms that had this name over time."""
        return self.info.sid

    @property
    def metadata(self) -> str:
        """What the application wants to be known of it."""
        return self.info.metadata

    @property
    def participants(self) -> dict[str, Participant]:
        """Who is in it, by identity; nobody where the room has ended."""
        found = self._administration.list_participants(self.name)
        return {info.identity: Participant(self._administration, self.name, info.identity) for info in found}

    def update(self, *, metadata: str) -> None:
        """Replace its metadata."""
        self._administration.update_room_metadata(self.name, metadata)

    def send_data(
        self, payload: bytes | str, *, topic: str = "", to: Sequence[str] = (), reliable: bool = True
    ) -> None:
        """Send data to everybody, or to these identities."""
        _send(self._administration, self.name, payload, topic, reliable, to)

    def token(
        self,
        identity: str,
        *,
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        ttl_s: float = 6 * 3600,
        **grants: Any,
    ) -> str:
        """An access token to join; ``grants`` are fields of the video grant, such as ``can_publish=False``."""
        claims = Claims(identity=identity, name=name, metadata=metadata, attributes=dict(attributes or {}))
        return join_token(self._keys, self.name, claims, ttl_s=ttl_s, now=time.time(), **grants)

    async def join(
        self,
        identity: str,
        *,
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        kind: str = "agent",
        **grants: Any,
    ) -> LocalParticipant:
        """Join it from within this process, without WebRTC.

        ``kind`` is ``agent``, or ``standard`` for somebody who counts as everybody else and keeps the room alive;
        ``grants`` are fields of the video grant, such as ``hidden=True``. Raises RoomNotFound where the room has
        ended, another JoinRefused, or NotJoined.
        """
        self._administration.room(self.name)
        key, _ = self._keys.first()
        video = replace(VideoGrant(room_join=True, room=self.name), **grants)
        claims = Claims(
            issuer=key,
            identity=identity,
            name=name,
            kind=kind,
            metadata=metadata,
            attributes=dict(attributes or {}),
            video=video,
        )
        return await self._entrance.join(claims)

    def close(self) -> None:
        """End it for everybody."""
        self._administration.delete_room(self.name)


class Rooms:
    """All rooms of a server: a collection by name."""

    def __init__(self, administration: Administration, keys: KeyRing, entrance: Entrance) -> None:
        self._administration = administration
        self._keys = keys
        self._entrance = entrance

    def create(
        self,
        name: str,
        *,
        metadata: str = "",
        empty_timeout_s: float = 0,
        departure_timeout_s: float = 0,
        max_participants: int = 0,
    ) -> Room:
        """The room of this name, made if need be; what is 0 is as configured."""
        wish = room_messages.RoomConfiguration(
            metadata=metadata,
            empty_timeout=int(empty_timeout_s),
            departure_timeout=int(departure_timeout_s),
            max_participants=max_participants,
        )
        self._administration.create_room(name, wish)
        return self._room(name)

    def get(self, name: str) -> Room | None:
        """The room of this name, if there is one now."""
        return self._room(name) if name in self else None

    def __getitem__(self, name: str) -> Room:
        if name not in self:
            raise KeyError(name)
        return self._room(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._administration.list_rooms([name]))

    def __iter__(self) -> Iterator[Room]:
        for info in self._administration.list_rooms():
            yield self._room(info.name)

    def _room(self, name: str) -> Room:
        return Room(self._administration, self._keys, self._entrance, name)

    def __len__(self) -> int:
        return len(self._administration.list_rooms())


def _send(
    administration: Administration,
    room: str,
    payload: bytes | str,
    topic: str,
    reliable: bool,
    to: Sequence[str],
) -> None:
    data = payload.encode() if isinstance(payload, str) else payload
    packet = models.UserPacket(payload=data, topic=topic)
    administration.send_data(room, packet, lossy=not reliable, identities=to)
