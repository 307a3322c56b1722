"""What the server API can do with rooms and the people in them, by name.

Every door that administers rooms calls these: Twirp, REST, the command line. Nothing here asks who is calling.
All of it is synchronous, and what was done is seen by whoever asks next. Raises ``rooms.errors``.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from livekit.protocol import models, rtc
from livekit.protocol import room as room_messages

from sfu.control import LOSSY, RELIABLE

from . import hosting, metadata, moderation, moving, presence, subscribing
from .bans import Ban
from .data import Destinations
from .errors import InvalidRequest, LimitExceeded, NotNow, RoomNotFound
from .permissions import grant_of
from .roles import ROLE
from .room import Room
from .rpc import Outcome, RpcCall
from .service import RoomService
from .session import Session

NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """New values of what everybody is told of a participant; what is empty (or None) stays as it is."""

    name: str = ""
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Laid over what there is; an empty value deletes."""
    permission: models.ParticipantPermission | None = None
    """Replaces all of it."""


@dataclass(frozen=True, slots=True)
class RoomChange:
    """New values of a room; what is None stays as it is."""

    metadata: str | None = None
    empty_timeout_s: float | None = None
    departure_timeout_s: float | None = None
    max_participants: int | None = None
    """Nobody has to leave for a lower one."""


class Administration:
    """The operations on one server's rooms."""

    def __init__(self, rooms: RoomService) -> None:
        self._rooms = rooms
        self._config = rooms.config
        self.bans = rooms.bans
        """Lists and lifts bans; :meth:`ban` adds them."""

    # --- rooms ---

    def create_room(
        self, name: str, wish: room_messages.RoomConfiguration, preset: str = "", api_key: str = ""
    ) -> models.Room:
        """The room of this name, made if need be for this API key; one that exists stays as it is.

        Raises InvalidRequest, LimitExceeded, RoomFull (too many rooms) or ShuttingDown.
        """
        self._rooms.check_name(name)
        self._check_metadata(wish.metadata)
        if preset and self._config.preset(preset) is None:
            raise InvalidRequest("unknown room configuration in create room request")
        room = self._rooms.room(name)
        if room is None:
            self._rooms.check_new_room(api_key)
            settings = self._rooms.default_settings(preset).configured(wish)
            room = self._rooms.create_room(name, settings, api_key)
        return room.info()

    def list_rooms(self, names: Collection[str] = ()) -> list[models.Room]:
        """Those of these names that exist, or all."""
        return list(self.each_room(names))

    def room_names(self) -> list[str]:
        """Of all rooms."""
        return [room.name for room in self._rooms.rooms()]

    def each_room(self, names: Collection[str] = ()) -> Iterator[models.Room]:
        """The same one by one, each as it is then, for whoever pauses in between."""
        for name in dict.fromkeys(names) or self.room_names():
            if room := self._rooms.room(name):
                yield room.info()

    def delete_room(self, name: str) -> None:
        """End a room for everybody. Raises RoomNotFound."""
        hosting.end(self.room(name))

    def lock_room(self, name: str) -> None:
        """Let nobody new in; whoever is in may come back. Raises RoomNotFound."""
        hosting.lock(self.room(name))

    def unlock_room(self, name: str) -> None:
        """Let everybody in again. Raises RoomNotFound."""
        hosting.unlock(self.room(name))

    def mute_all(self, name: str) -> list[str]:
        """Mute everybody's audio; sids of the tracks that were heard. Raises RoomNotFound."""
        return hosting.mute_all(self.room(name))

    def pass_host(self, room_name: str, identity: str, host: str = "") -> models.ParticipantInfo:
        """Make somebody the host, and ``host`` a speaker, or everybody else who is host.

        Raises RoomNotFound, ParticipantNotFound, InvalidRequest or NotNow.
        """
        successor = self._own_session(room_name, identity)
        if host:
            hosts = [self._own_session(room_name, host)]
        else:
            hosts = [one for one in hosting.hosts_of(successor.room) if one is not successor]
        hosting.pass_host(hosts, successor)
        return successor.info()

    def update_room_metadata(self, name: str, text: str) -> models.Room:
        """Replace a room's metadata. Raises RoomNotFound or LimitExceeded."""
        self._check_metadata(text)
        room = self.room(name)
        room.set_metadata(text)
        return room.info()

    def update_room(self, name: str, change: RoomChange) -> models.Room:
        """Change a room. Raises RoomNotFound or LimitExceeded."""
        self._check_metadata(change.metadata or "")
        room = self.room(name)
        changed = {
            "empty_timeout_s": change.empty_timeout_s,
            "departure_timeout_s": change.departure_timeout_s,
            "max_participants": change.max_participants,
        }
        room.configure({field: value for field, value in changed.items() if value is not None})
        if change.metadata is not None:
            room.set_metadata(change.metadata)
        return room.info()

    # --- participants ---

    def list_participants(self, room_name: str) -> list[models.ParticipantInfo]:
        """Everybody in a room, hidden people included; nobody where there is no room."""
        return list(self.each_participant(room_name))

    def each_participant(self, room_name: str) -> Iterator[models.ParticipantInfo]:
        """The same one by one, each as it is then, for whoever pauses in between."""
        room = self._rooms.room(room_name)
        for identity, session in list(room.sessions.items()) if room else ():
            if room and room.sessions.get(identity) is session:
                yield session.info()

    def participant(self, room_name: str, identity: str) -> models.ParticipantInfo:
        """One of them. Raises RoomNotFound or ParticipantNotFound."""
        return self.session(room_name, identity).info()

    def remove_participant(self, room_name: str, identity: str, revoke_before: float | None = None) -> None:
        """Put somebody out, and refuse their tokens for this room.

        Those are tokens issued before now, or before ``revoke_before`` (seconds since the epoch).
        Raises RoomNotFound or ParticipantNotFound.
        """
        moderation.expel(self.session(room_name, identity), revoke_before)

    def mute_track(
        self, room_name: str, identity: str, track_sid: str, muted: bool
    ) -> models.TrackInfo | None:
        """Mute (or, where that is allowed, unmute) a track; None when its publisher has no such track.

        Raises RoomNotFound, ParticipantNotFound or NotNow.
        """
        session = self._own_session(room_name, identity)
        if not muted and not self._config.enable_remote_unmute:
            raise NotNow("remote unmute not enabled")
        return moderation.mute_track(session, track_sid, muted)

    def update_participant(
        self, room_name: str, identity: str, change: ProfileChange
    ) -> models.ParticipantInfo:
        """Change what somebody is called or may do; the attribute ``hubbub.role`` changes their role.

        Raises RoomNotFound, ParticipantNotFound, LimitExceeded or InvalidRequest (no such role).
        """
        session = self._own_session(room_name, identity)
        role = self._config.known_role(change.attributes[ROLE]) if change.attributes.get(ROLE) else None
        attributes = {key: text for key, text in change.attributes.items() if key != ROLE or not text}
        metadata.change(session, change.name, change.metadata, attributes)
        if role is not None:
            moderation.change_role(session, role)
        if change.permission is not None and change.permission != session.participant.permission:
            moderation.change_grant(session, grant_of(change.permission, session.participant.grant))
        return session.info()

    def change_rights(self, room_name: str, identity: str, rights: Mapping[str, object]) -> None:
        """Change fields of somebody's grant; the others stay. Raises RoomNotFound or ParticipantNotFound."""
        session = self._own_session(room_name, identity)
        moderation.change_grant(session, replace(session.participant.grant, **rights))  # type: ignore[arg-type]

    def change_role(self, room_name: str, identity: str, role: str) -> models.ParticipantInfo:
        """Give somebody another role. Raises RoomNotFound, ParticipantNotFound or InvalidRequest (no such role)."""
        session = self._own_session(room_name, identity)
        moderation.change_role(session, self._config.known_role(role))
        return session.info()

    def move_participant(self, room_name: str, identity: str, destination: str, api_key: str = "") -> None:
        """Take somebody to another room, over the connection that they have; made for this API key if need be.

        Raises RoomNotFound, ParticipantNotFound, InvalidRequest, NotNow or RoomFull.
        """
        session = self._own_session(room_name, identity)
        moving.move(session, self._rooms.demand(destination, api_key))

    def forward_participant(self, room_name: str, identity: str, destination: str, api_key: str = "") -> None:
        """Show somebody and their tracks in another room too, until they leave or are removed there.

        Raises RoomNotFound, ParticipantNotFound, InvalidRequest, NotNow or RoomFull.
        """
        session = self._own_session(room_name, identity)
        presence.forward(session, self._rooms.demand(destination, api_key))

    def update_subscriptions(self, room_name: str, identity: str, wish: rtc.UpdateSubscription) -> None:
        """Subscribe somebody to tracks, or no longer. Raises RoomNotFound or ParticipantNotFound."""
        subscribing.update_subscription(self._own_session(room_name, identity), wish)

    # --- bans ---

    def ban(
        self,
        *,
        room: str = "",
        identity: str = "",
        network: str = "",
        reason: str = "",
        duration_s: float | None = None,
    ) -> Ban:
        """Keep an identity or the addresses of a network out of one room or all, and put them out of it.

        Raises InvalidRequest or LimitExceeded.
        """
        ban = self.bans.add(
            room=room, identity=identity, network=network, reason=reason, duration_s=duration_s
        )
        for place in self._rooms.rooms():
            moderation.remove_banned(place, ban)
        return ban

    # --- data ---

    def send_data(
        self,
        room_name: str,
        user: models.UserPacket,
        *,
        lossy: bool = False,
        identities: Sequence[str] = (),
    ) -> None:
        """Send data from nobody to everybody, or to those whom ``identities`` and the packet's own sids name.

        A packet of a nonce that the room has seen is dropped. Raises RoomNotFound or InvalidRequest.
        """
        if user.nonce and len(user.nonce) != NONCE_BYTES:
            found = len(user.nonce)
            raise InvalidRequest(f"nonce should be {NONCE_BYTES}-bytes or not present, got: {found} bytes")
        room = self.room(room_name)
        user.nonce = user.nonce or room.context.ids.entropy(NONCE_BYTES)
        user.destination_identities[:] = identities
        packet = models.DataPacket(user=user, destination_identities=identities)
        room.data.send_once(
            packet,
            LOSSY if lossy else RELIABLE,
            Destinations(frozenset(identities), frozenset(user.destination_sids)),
        )

    def start_rpc(
        self,
        room_name: str,
        identity: str,
        method: str,
        payload: str,
        timeout_s: float,
        done: Callable[[Outcome], None],
    ) -> RpcCall:
        """Call a method of a participant's application; ``done`` hears its answer, or an RpcError, once.

        Raises RoomNotFound, ParticipantNotFound, InvalidRpc or NotNow.
        """
        session = self._own_session(room_name, identity)
        return session.room.rpc.start(session, method, payload, timeout_s, done)

    # --- inside ---

    def room(self, name: str) -> Room:
        """Raises RoomNotFound."""
        room = self._rooms.room(name)
        if room is None:
            raise RoomNotFound
        return room

    def session(self, room_name: str, identity: str) -> Session:
        """Raises RoomNotFound or ParticipantNotFound."""
        return self.room(room_name).session(identity)

    def _own_session(self, room_name: str, identity: str) -> Session:
        """One that isn't only the image of one in another room. Raises as :meth:`session`, and NotNow."""
        return self.room(room_name).own_session(identity)

    def _check_metadata(self, text: str) -> None:
        limit = self._config.max_metadata_bytes
        if len(text.encode()) > limit:
            raise LimitExceeded(f"metadata size exceeds limits {limit}")
