"""What a participant publishes: tracks asked for, tracks flowing, and who may have them."""

from collections import deque
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from sfu.control import MediaKind, TrackId, TrackSpec

from .dynacast import Dynacast
from .layers import OFF
from .permissions import SubscriptionPolicy
from .track_info import codec_name

if TYPE_CHECKING:
    from .session import Session
    from .subscription import Subscription


class Publication:
    """One track, from the request on."""

    def __init__(self, publisher: "Session", cid: str, info: models.TrackInfo) -> None:
        self.publisher = publisher
        self.cid = cid
        self.info = info
        self.subscriptions: dict[Session, Subscription] = {}
        self.dynacast = Dynacast(self)
        self.expected_muted = bool(info.muted)
        """As the data plane was told when it was to expect the track."""
        self.told_subscribed = False
        """Whether the publisher knows that somebody receives it."""
        self.forwards: list[Publication] = []
        """The same track as other rooms have it."""

    @property
    def sid(self) -> str:
        """The track's sid."""
        return str(self.info.sid)

    @property
    def track_id(self) -> TrackId:
        """The same for the data plane."""
        return TrackId(self.sid)

    def stop(self) -> None:
        """The track is gone."""
        self.dynacast.stop()

    def wanted_quality(self) -> int:
        """The best quality that any subscriber wants, wherever it is; OFF for none."""
        everywhere = (self, *self.forwards)
        wishes = (one.quality for publication in everywhere for one in publication.subscriptions.values())
        return max(wishes, default=OFF)

    def touch(self) -> None:
        """Mark the TrackInfo as changed."""
        self.info.version.unix_micro = int(self.publisher.context.clock.wall() * 1_000_000)

    def stream_id(self) -> str:
        """First token of the msid towards subscribers: ``PA_…|TR_…``, in a synced room ``PA_…|name``."""
        second = self.info.stream if self.publisher.room.settings.sync_streams else self.sid
        return f"{self.publisher.participant.sid}|{second}"

    def spec(self, request: rtc.AddTrackRequest) -> TrackSpec:
        """What the data plane is to expect."""
        cids = (request.cid, *(codec.cid for codec in request.simulcast_codecs))
        codecs = request.simulcast_codecs
        return TrackSpec(
            track_id=self.track_id,
            kind=MediaKind.AUDIO if self.info.type == models.AUDIO else MediaKind.VIDEO,
            cids=tuple(dict.fromkeys(cid for cid in cids if cid)),
            codec=codec_name(codecs[0].codec) if codecs else "",
            red=not self.info.disable_red,
            dtx=models.TF_NO_DTX not in self.info.audio_features,
            stereo=models.TF_STEREO in self.info.audio_features,
            measure_level=self.info.source == models.MICROPHONE,
            muted=self.info.muted,
        )


class Publications:
    """Everything that one participant publishes."""

    def __init__(self) -> None:
        self.pending: dict[str, Publication] = {}
        """By sid: answered with TrackPublished, not in the SDP yet."""
        self.published: dict[str, Publication] = {}
        """By sid, in the order in which they started."""
        self.queued: dict[str, deque[rtc.AddTrackRequest]] = {}
        """By cid: requests that wait for an earlier track of the same cid to end."""
        self.policy = SubscriptionPolicy()

    def find(self, sid: str) -> Publication | None:
        """A pending or published track."""
        return self.published.get(sid) or self.pending.get(sid)

    def holds_cid(self, cid: str) -> bool:
        """Whether a pending or published track came from this client id."""
        tracks = (*self.pending.values(), *self.published.values())
        return any(publication.cid == cid for publication in tracks)

    def count(self) -> int:
        """Pending and published tracks, and requests that wait to be either."""
        return len(self.pending) + self.queued_count() + len(self.published)

    def queued_count(self) -> int:
        """Requests waiting."""
        return sum(len(requests) for requests in self.queued.values())

    def infos(self) -> list[models.TrackInfo]:
        """What is told of the published tracks."""
        return [publication.info for publication in self.published.values()]
