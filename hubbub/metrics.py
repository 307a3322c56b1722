"""What a server tells Prometheus; the only module that knows its library.

Nothing is counted here: each scrape takes the numbers where they are. Names that begin with ``livekit_`` mean what they
mean at LiveKit. No label is a room or a person, so that there are as many series in a year as on the first day.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from hubbub.version import VERSION
from hubbub.webhooks.worker import Counters
from rooms.room import Room
from sfu.snapshot import OVERLOAD_STEPS, Snapshot

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Of :meth:`Metrics.text`."""

_OF_NODE = ("node_id", "node_type")
_NODE_TYPE = "SERVER"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the numbers are."""

    media: Callable[[], Snapshot]
    rooms: Callable[[], Collection[Room]]
    webhooks: Callable[[], Mapping[str, Counters]]
    """By target."""


class Metrics:
    """One server's."""

    def __init__(self, sources: Sources, node_id: str) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_ServerCollector(sources, node_id))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def text(self) -> bytes:
        """All of them as they are now, in Prometheus's text format."""
        return generate_latest(self._registry)


class _ServerCollector(Collector):
    def __init__(self, sources: Sources, node_id: str) -> None:
        self._sources = sources
        self._node = [node_id, _NODE_TYPE]

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        build = GaugeMetricFamily("hubbub_build_info", "1, with the version as a label.", labels=["version"])
        build.add_metric([VERSION], 1)
        yield build
        yield from self._rooms(self._sources.rooms())
        media = self._sources.media()
        yield from self._tracks(media)
        yield from _traffic(media)
        yield from _losses(media)
        yield from _webhooks(self._sources.webhooks())

    def _rooms(self, rooms: Collection[Room]) -> Iterator[Metric]:
        people = sum(len(room.sessions) for room in rooms)
        for name, help_text, count in (
            ("livekit_room_total", "Rooms now.", len(rooms)),
            ("livekit_participant_total", "Participants now, agents and recorders too.", people),
        ):
            family = GaugeMetricFamily(name, help_text, labels=_OF_NODE)
            family.add_metric(self._node, count)
            yield family

    def _tracks(self, media: Snapshot) -> Iterator[Metric]:
        for name, help_text, counts in (
            ("livekit_track_published_total", "Published tracks now.", media.published),
            ("livekit_track_subscribed_total", "Subscriptions to tracks now.", media.subscribed),
        ):
            family = GaugeMetricFamily(name, help_text, labels=[*_OF_NODE, "kind"])
            for kind, count in counts.items():
                family.add_metric([*self._node, kind.name], count)
            yield family


def _traffic(media: Snapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily("hubbub_peer_connections", "Peer connections now.", media.transports)
    yield CounterMetricFamily(
        "hubbub_datagrams_received", "Datagrams from UDP: media, RTCP, DTLS and STUN.", media.datagrams_in
    )
    yield CounterMetricFamily(
        "hubbub_packets_sent", "RTP packets sent, retransmissions too.", media.packets_out
    )
    yield CounterMetricFamily(
        "hubbub_bytes_sent", "Bytes of these, encrypted, without headers of UDP and IP.", media.octets_out
    )
    yield CounterMetricFamily("hubbub_rtcp_packets_sent", "RTCP packets sent.", media.rtcp_out)


def _losses(media: Snapshot) -> Iterator[Metric]:
    dropped = CounterMetricFamily(
        "hubbub_packets_dropped",
        "Packets that came and went no further, and copies that were not sent, by reason.",
        labels=["direction", "reason"],
    )
    for loss, count in media.lost.items():
        dropped.add_metric(["incoming" if loss.incoming else "outgoing", loss.value], count)
    yield dropped
    yield GaugeMetricFamily(
        "hubbub_overload_level",
        f"How much of the video is left out now: 0 for none, {OVERLOAD_STEPS} for all.",
        media.overload,
    )
    yield CounterMetricFamily(
        "hubbub_overloads", "Times that video began to be left out because of overload.", media.overloads
    )


def _webhooks(targets: Mapping[str, Counters]) -> Iterator[Metric]:
    pending = GaugeMetricFamily(
        "hubbub_webhook_queue_length", "Events that wait for a receiver now.", labels=["target"]
    )
    fates = CounterMetricFamily(
        "hubbub_webhook_deliveries",
        "Events for a receiver: delivered, dead after too many tries, or dropped because too many waited.",
        labels=["target", "outcome"],
    )
    for name, counters in targets.items():
        pending.add_metric([name], counters.pending)
        for outcome in ("delivered", "dead", "dropped"):
            fates.add_metric([name, outcome], getattr(counters, outcome))
    yield pending
    yield fates
