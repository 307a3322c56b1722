"""Settings of rooms and participants."""

from dataclasses import dataclass, field

from .errors import InvalidRequest
from .limits import KeyLimits, Limits
from .presets import Preset
from .roles import PREDEFINED, SHOWN_CHARS, Role


@dataclass(frozen=True, slots=True)
class RoomConfig:
    """Limits and timers; those that LiveKit has too have its defaults. Durations in seconds."""

    auto_create: bool = True
    """Whether a join creates its room. Where it doesn't, a token with the roomCreate grant still does."""
    empty_timeout_s: float = 300.0
    """How long a room waits for its first participant."""
    departure_timeout_s: float = 20.0
    """How long a room stays after its last participant left."""
    enable_remote_unmute: bool = False
    """Whether the server API may unmute a track. Muting it always may."""
    sync_streams: bool = False
    """Whether audio and video of a participant share a media stream, so that clients play them in step."""
    playout_delay_enabled: bool = False
    """Whether receivers are told how long to hold video back."""
    playout_delay_min_ms: int = 0
    """The least they shall."""
    playout_delay_max_ms: int = 0
    """The most they may. 0 leaves it to them."""
    enable_data_blobs: bool = False
    """Whether participants may store data for others to fetch by signalling."""
    max_data_blob_key_bytes: int = 256
    """Longest key of such data."""
    max_data_blobs_bytes: int = 64_000
    """Keys and contents of all that one participant stores."""
    max_participants: int = 0
    """Most participants of a room, agents and recorders not counted. 0 for no limit."""
    max_rooms: int = 10_000
    """Most rooms at a time."""
    join_timeout_s: float = 60.0
    """How long a participant may take from its join to a connected transport."""
    signal_loss_grace_s: float = 30.0
    """How long a participant without signal connection stays (LiveKit: until its media fails)."""
    reconnect_grace_s: float = 5.0
    """How long a participant whose media failed may take to come back."""
    token_refresh_s: float = 300.0
    """How often a participant gets a fresh token to reconnect with."""
    max_metadata_bytes: int = 512 * 1024
    """Longest metadata of a room or participant."""
    max_attributes_bytes: int = 64 * 1024
    """Keys and values of a participant's attributes together."""
    max_name_chars: int = 256
    """Longest name of a participant."""
    max_identity_chars: int = 256
    """Longest identity."""
    max_room_name_chars: int = 256
    """Longest name of a room."""
    max_pending_tracks: int = 20
    """Tracks that a participant may have announced whose media has not come yet."""
    max_tracks: int = 64
    """Tracks that a participant may publish."""
    max_held_requests: int = 100
    """Requests of a participant that may wait while a hook decides on an earlier one."""
    max_data_tracks: int = 64
    """Data tracks that a participant may publish."""
    reliable_cache_s: float = 2.0
    """How long reliable data is kept for receivers that are just connecting."""
    reliable_cache_bytes: int = 100_000
    """How much of it is kept."""
    limits: Limits = field(default_factory=Limits)
    key_limits: tuple[KeyLimits, ...] = ()
    """Other limits for single API keys, each {key, key_rooms, …}; what it leaves out is as in this section."""

    roles: tuple[Role, ...] = ()
    """Roles that tokens may name beside host, speaker and attendee, or other rights for these, by name, such as
    moderator: {room_admin: true, can_publish: false}."""

    presets: tuple[Preset, ...] = ()
    """Room configurations that CreateRoom and tokens may name, by name, such as
    stage: {max_participants: 500, departure_timeout: 60, agents: [{agent_name: helper}]}."""

    def preset(self, name: str) -> Preset | None:
        """The room configuration of this name."""
        return next((preset for preset in self.presets if preset.name == name), None)

    def role(self, name: str) -> Role | None:
        """The role of this name."""
        return next((role for role in (*self.roles, *PREDEFINED) if role.name == name), None)

    def known_role(self, name: str) -> Role:
        """The same, for requests. Raises InvalidRequest when there is none."""
        role = self.role(name)
        if role is None:
            raise InvalidRequest(f"there is no role {name[:SHOWN_CHARS]}")
        return role

    def limits_of(self, key: str) -> Limits:
        """What an API key's rooms and participants may have."""
        own = next((limits for limits in self.key_limits if limits.key == key), None)
        return self.limits if own is None else own.applied(self.limits)
