"""What every transport of an engine shares."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sfu.config import MediaConfig
from sfu.control import Event, TrackId, TransportId
from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.profile import ProfileRegistry
from sfu.forwarding.stream_table import StreamTable
from sfu.forwarding.uptrack import UpTrack
from sfu.little import LittleByLittle
from sfu.net.peers import PeerTable
from sfu.streams.acknowledgements import Acknowledgements
from sfu.streams.speakers import SpeechSettings


@dataclass(slots=True)
class Losses:
    """What transports have dropped since the start; counted here, as they go and counts must not."""

    messages: int = 0
    """Lossy data messages for receivers that were too slow for them."""
    tapped: int = 0
    """Packets and messages for clients in our own process that were too slow for them."""
    retransmissions: int = 0
    """Not sent, because the kernel had no room for other packets a moment ago, or too large."""


@dataclass(slots=True)
class PeerContext:
    """Tables and outlets, made by the engine."""

    config: MediaConfig
    emit: Callable[[Event], None]
    peers: PeerTable
    down_tracks: DownTrackTable
    acknowledgements: Acknowledgements
    profiles: ProfileRegistry
    new_ssrc: Callable[[], int]
    """A random SSRC that no other stream of the engine uses."""
    speech: SpeechSettings
    end_subscription: Callable[[TransportId, TrackId], None]
    """Take a track that has ended from a subscriber."""
    streams: StreamTable = field(default_factory=StreamTable)
    """What the transports receive."""
    tracks: dict[TrackId, UpTrack] = field(default_factory=dict)
    """Started tracks of all routers."""
    losses: Losses = field(default_factory=Losses)
    messages: LittleByLittle = field(default_factory=LittleByLittle)
    """Sends what data channels hold."""
