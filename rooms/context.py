"""What everything in a room shares: configuration, ports, timers, and the way from media ids to the model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from livekit.protocol import models

from sfu.control import RouterId, TrackId, TransportId

from .bans import Bans
from .config import RoomConfig
from .gate import Gate, OpenGate
from .ids import Ids
from .limits import Usage
from .ports import Clock, IceServers, MediaPlane, RoomObserver, TokenMinter
from .timers import Timer, Timers

if TYPE_CHECKING:
    from .publication import Publication
    from .room import Room
    from .session import Session

SERVER_VERSION = "1.13.5"
"""The LiveKit version whose behaviour clients may count on; SDKs switch features by it."""
SERVER_PROTOCOL = 17
"""From 18 on the Python SDK opens its data channels without DCEP, which no other server does yet."""
AGENT_PROTOCOL = 1


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """How this server presents itself to clients."""

    node_id: str = ""
    region: str = ""
    ping_interval_s: int = 5
    """How often clients shall ping. Never 0: the Rust SDK makes a timer of it."""
    ping_timeout_s: int = 15

    def info(self) -> models.ServerInfo:
        """For JoinResponse and ReconnectResponse."""
        return models.ServerInfo(
            version=SERVER_VERSION,
            protocol=SERVER_PROTOCOL,
            region=self.region,
            node_id=self.node_id,
            agent_protocol=AGENT_PROTOCOL,
        )


@dataclass(frozen=True, slots=True)
class Directory:
    """From the ids that media events carry to what they mean."""

    rooms: "dict[RouterId, Room]" = field(default_factory=dict)
    sessions: "dict[TransportId, Session]" = field(default_factory=dict)
    publications: "dict[TrackId, Publication]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """One per RoomService."""

    config: RoomConfig
    server: ServerIdentity
    media: MediaPlane
    minter: TokenMinter
    observer: RoomObserver
    ice_servers: IceServers
    clock: Clock
    ids: Ids
    bans: Bans
    gate: Gate = field(default_factory=OpenGate)
    timers: Timers = field(default_factory=Timers)
    directory: Directory = field(default_factory=Directory)
    usage: Usage = field(default_factory=Usage)

    def later(self, delay_s: float, action: Callable[[], None]) -> Timer:
        """Have something done after this time."""
        return self.timers.call_at(self.clock.now() + delay_s, action)
