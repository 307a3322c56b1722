"""The line between the planes: what the control plane may ask of the data plane, and what it hears back.

Everything here is a frozen dataclass of ids, numbers, strings and bytes, so an engine can live in the server's
process or behind a pipe with the same code. Commands are carried out in the order given and return nothing; a
command that asks for something is answered by one named event (:class:`Offer` by :class:`AnswerReady` or
:class:`NegotiationFailed`, and so on). Commands for ids that are gone are ignored: the two planes race by nature.
SDP is an opaque string above this line; people, rooms and permissions don't exist below it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NewType

RouterId = NewType("RouterId", str)
TransportId = NewType("TransportId", str)
TrackId = NewType("TrackId", str)


class TransportRole(Enum):
    """Who offers, and which way media flows."""

    SINGLE = "single"
    """Both ways over one peer connection; only the client offers (LiveKit ``/rtc/v1``)."""
    PUBLISHER = "publisher"
    """Media from the client only; the client offers (LiveKit ``/rtc``)."""
    SUBSCRIBER = "subscriber"
    """Media to the client only; the server offers (LiveKit ``/rtc``)."""


class MediaKind(Enum):
    AUDIO = "audio"
    VIDEO = "video"


RELIABLE = "_reliable"
"""Label of the ordered, reliable data channel."""
LOSSY = "_lossy"
"""Label of the unordered data channel without retransmission."""
DATA_TRACK = "_data_track"
"""Label of the lossy channel that carries data-track packets."""


# --- commands ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenRouter:
    """Make the fan-out of one room."""

    router_id: RouterId


@dataclass(frozen=True, slots=True)
class CloseRouter:
    """Drop a router with every transport in it."""

    router_id: RouterId


@dataclass(frozen=True, slots=True)
class OpenTransport:
    """Make one peer connection in a router. A SUBSCRIBER transport offers (data channels only) at once."""

    router_id: RouterId
    transport_id: TransportId
    role: TransportRole
    cname: str
    """The participant's sid; RTCP canonical name of what is sent on it without naming a publisher."""
    first_offer_id: int = 1
    """Id of the first offer of a SUBSCRIBER transport; later ones count up."""
    tcp_only: bool = False
    """Offer ICE-TCP candidates alone."""
    playout_delay_ms: tuple[int, int] | None = None
    """Least and most time, at most 40,950, for the receiver to hold video back; None says nothing of it."""


@dataclass(frozen=True, slots=True)
class CloseTransport:
    """Drop a peer connection, what it published and what it was subscribed to."""

    transport_id: TransportId


@dataclass(frozen=True, slots=True)
class MoveTransport:
    """Count a peer connection to another router from now on. What it sends and receives is left as it is."""

    transport_id: TransportId
    router_id: RouterId
    playout_delay_ms: tuple[int, int] | None = None
    """For subscriptions from now on."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An SDP offer from the client, answered by AnswerReady or NegotiationFailed."""

    transport_id: TransportId
    offer_id: int
    sdp: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The client's SDP answer to an OfferReady of a SUBSCRIBER transport."""

    transport_id: TransportId
    offer_id: int
    sdp: str


@dataclass(frozen=True, slots=True)
class RestartIce:
    """Offer again with new ICE credentials (SUBSCRIBER transports)."""

    transport_id: TransportId


@dataclass(frozen=True, slots=True)
class TrackSpec:
    """What the publisher said of a track before its SDP."""

    track_id: TrackId
    kind: MediaKind
    cids: tuple[str, ...]
    """Client ids that its m-line's msid may carry."""
    codec: str = ""
    """Preferred codec, a lower-case name such as ``vp8``; empty for the client's own order."""
    red: bool = True
    """Redundant audio (RFC 2198) wanted."""
    dtx: bool = True
    stereo: bool = False
    measure_level: bool = False
    """Count towards active speakers (microphones)."""
    muted: bool = False


@dataclass(frozen=True, slots=True)
class ExpectTrack:
    """Bind the next matching m-line of the transport to this track; answered by TrackStarted."""

    transport_id: TransportId
    spec: TrackSpec


@dataclass(frozen=True, slots=True)
class DropTrack:
    """Stop taking a published (or expected) track; answered by TrackEnded when it had started."""

    transport_id: TransportId
    track_id: TrackId


@dataclass(frozen=True, slots=True)
class MuteTrack:
    """Stop or resume forwarding of a published track to everybody."""

    track_id: TrackId
    muted: bool


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Forward a published track on a transport. Leads to SectionsNeeded or OfferReady, later TrackBound."""

    transport_id: TransportId
    track_id: TrackId
    stream_id: str
    """First token of the msid towards the subscriber, ``PA_…|TR_…``; the second is the track id."""
    enabled: bool = True
    spatial: int = 2
    """Highest simulcast layer wanted, counted from 0 at the smallest."""
    temporal: int = 3


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Stop forwarding a track on a transport and free its m-line."""

    transport_id: TransportId
    track_id: TrackId


@dataclass(frozen=True, slots=True)
class SetLayers:
    """What a subscriber now wants of a track that it is subscribed to."""

    transport_id: TransportId
    track_id: TrackId
    enabled: bool
    spatial: int
    temporal: int = 3


@dataclass(frozen=True, slots=True)
class SendData:
    """Send one binary message on the labelled data channel of each transport."""

    transport_ids: tuple[TransportId, ...]
    label: str
    payload: bytes


Command = (
    OpenRouter
    | CloseRouter
    | OpenTransport
    | CloseTransport
    | MoveTransport
    | Offer
    | Answer
    | RestartIce
    | ExpectTrack
    | DropTrack
    | MuteTrack
    | Subscribe
    | Unsubscribe
    | SetLayers
    | SendData
)


# --- events -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TransportConnected:
    """DTLS is up for the first time."""

    transport_id: TransportId


@dataclass(frozen=True, slots=True)
class TransportFailed:
    """The peer connection is lost: ICE consent expired, DTLS failed or closed."""

    transport_id: TransportId
    reason: str


@dataclass(frozen=True, slots=True)
class AnswerReady:
    """The answer to an Offer, candidates included."""

    transport_id: TransportId
    offer_id: int
    sdp: str
    mid_to_track: Mapping[str, TrackId]
    """Every m-line that the server sends on."""


@dataclass(frozen=True, slots=True)
class OfferReady:
    """An offer of a SUBSCRIBER transport, for the client to answer."""

    transport_id: TransportId
    offer_id: int
    sdp: str
    mid_to_track: Mapping[str, TrackId]


@dataclass(frozen=True, slots=True)
class NegotiationFailed:
    """An offer or answer that can't be used; the transport stays as it was."""

    transport_id: TransportId
    message: str


@dataclass(frozen=True, slots=True)
class SectionsNeeded:
    """The client must offer again (SINGLE transports), with this many more receiving m-lines; both may be 0."""

    transport_id: TransportId
    audios: int
    videos: int


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One simulcast layer as negotiated."""

    spatial: int
    rid: str
    ssrc: int
    """0 until the layer's first packet names it."""


@dataclass(frozen=True, slots=True)
class TrackStarted:
    """An expected track has its m-line and can be subscribed to."""

    transport_id: TransportId
    track_id: TrackId
    mime: str
    """MIME type such as ``video/VP8`` or ``audio/red``."""
    mid: str
    cid: str
    """The client id that the SDP really carried."""
    layers: tuple[LayerInfo, ...]


@dataclass(frozen=True, slots=True)
class LayerStarted:
    """First packet of a layer."""

    track_id: TrackId
    layer: LayerInfo


@dataclass(frozen=True, slots=True)
class TrackEnded:
    """A published track is gone: m-line inactive, dropped, or transport closed."""

    transport_id: TransportId
    track_id: TrackId


@dataclass(frozen=True, slots=True)
class TrackBound:
    """A subscription is negotiated and its transport connected: media flows from the next key frame on."""

    transport_id: TransportId
    track_id: TrackId


@dataclass(frozen=True, slots=True)
class SubscriptionRefused:
    """The subscriber's client can't take the track's codec."""

    transport_id: TransportId
    track_id: TrackId


@dataclass(frozen=True, slots=True)
class ChannelOpened:
    """A data channel is ready for SendData."""

    transport_id: TransportId
    label: str


@dataclass(frozen=True, slots=True)
class DataReceived:
    """One message of a data channel, text as its bytes."""

    transport_id: TransportId
    label: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ReceiverOverflow:
    """A reliable channel's backlog passed its limit: the receiver is too slow to keep."""

    transport_id: TransportId


@dataclass(frozen=True, slots=True)
class Speakers:
    """Levels of a router's audible tracks, every 400 ms while anything changes."""

    router_id: RouterId
    levels: Mapping[TrackId, float]
    """Linear level 0..1 of each track now speaking; others are silent."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Connection scores of a router's transports, every 5 s."""

    router_id: RouterId
    scores: Mapping[TransportId, float]
    """0..100 (see ``sfu.streams.quality``)."""


Event = (
    TransportConnected
    | TransportFailed
    | AnswerReady
    | OfferReady
    | NegotiationFailed
    | SectionsNeeded
    | TrackStarted
    | LayerStarted
    | TrackEnded
    | TrackBound
    | SubscriptionRefused
    | ChannelOpened
    | DataReceived
    | ReceiverOverflow
    | Speakers
    | Quality
)
