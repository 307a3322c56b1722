"""The peers of a load: keyed, connected from addresses of their own, and subscribed."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from sfu import control
from sfu.control import MediaKind, RouterId
from tests.bench.loads import Camera, Load, Rooms
from tests.bench.remote import RemoteEngine
from tests.bench.sockets import PeerSocket
from tests.harness.keyed_peer import KeyedPeer
from tests.harness.offers import Line
from tests.harness.rtp_source import AudioSource, SentPacket, StreamConfig, TransportCounter, VideoSource

RIDS = ("q", "h", "f")
AUDIO_LEVEL_DBOV = 30


class Speech(AudioSource):
    """A microphone whose packets vary in size, as Opus packets do."""

    def __init__(self, config: StreamConfig, mean_bytes: int, start_at: float, seed: int) -> None:
        super().__init__(config, level=AUDIO_LEVEL_DBOV, start_at=start_at, seed=seed)
        self._mean_bytes = mean_bytes

    def _packet(self, at: float) -> list[SentPacket]:
        self._size = self._random.randint(self._mean_bytes * 2 // 3, self._mean_bytes * 4 // 3)
        return super()._packet(at)


@dataclass(slots=True)
class Track:
    """A published track: its sources, one for each layer, and how many subscribers each layer has."""

    track_id: str
    kind: MediaKind
    sources: list[VideoSource] | list[AudioSource]
    wanted: list[int]


@dataclass(slots=True)
class Person:
    """A peer, its number on the socket, what it publishes, and what it is sent."""

    number: int
    peer: KeyedPeer
    tracks: list[Track]
    sources: dict[str, int] = field(default_factory=dict)
    """SSRC of the layer that is sent for each track subscribed to."""

    @property
    def ssrcs(self) -> set[int]:
        """What the person sends."""
        return {source.stream.config.ssrc for track in self.tracks for source in track.sources}


class Crowd:
    """Everybody in the load."""

    def __init__(self, load: Load, engine: RemoteEngine, socket: PeerSocket) -> None:
        self._engine = engine
        self._socket = socket
        self.people: list[Person] = []
        self.rooms: list[tuple[Rooms, list[Person]]] = []
        """Everybody by room, in the order of the load."""
        random = Random(1)
        for rooms in load.rooms:
            for _ in range(rooms.count):
                self._open(rooms, random)

    @property
    def publishers(self) -> Iterator[Person]:
        return (person for person in self.people if person.tracks)

    def connect(self) -> None:
        """Negotiate, key and validate everybody; tracks first, subscriptions when they have started."""
        for person in self.publishers:
            self._publish(person)
        self._deliver()
        for rooms, members in self.rooms:
            self._subscribe(rooms, members)
        self._deliver()
        self._engine.key({person.peer.id: person.peer.keys for person in self.people})
        self._deliver()
        self.check()

    def check(self) -> None:
        """Everybody sends an ICE check."""
        self._socket.send_all([(person.number, person.peer.check()) for person in self.people])

    def _deliver(self) -> None:
        by_id = {person.peer.id: person.peer for person in self.people}
        for event in self._engine.flush():
            if isinstance(event, control.NegotiationFailed | control.TransportFailed):
                raise RuntimeError(f"the engine refuses a peer: {event}")
            by_id[event.transport_id].on_event(event)  # type: ignore[union-attr]

    def _open(self, rooms: Rooms, random: Random) -> None:
        name = f"RM_{len(self.rooms)}"
        self._engine.execute(control.OpenRouter(RouterId(name)))
        members = []
        for place in range(rooms.publishers + rooms.watchers):
            number = len(self.people)
            peer = KeyedPeer(f"PC_{number}", self._engine.execute, router=name)
            peer.open()
            tracks = _tracks(rooms, number, random) if place < rooms.publishers else []
            self.people.append(Person(number, peer, tracks))
            members.append(self.people[-1])
        self.rooms.append((rooms, members))

    def _publish(self, person: Person) -> None:
        for mid, track in enumerate(person.tracks):
            person.peer.expect(track.track_id, track.kind, measure_level=track.kind is MediaKind.AUDIO)
            configs = [source.stream.config for source in track.sources]
            person.peer.send_line(
                Line(
                    track.kind.value,
                    str(mid),
                    cid=track.track_id,
                    rids=tuple(config.rid for config in configs) if len(configs) > 1 else (),
                    ssrcs=tuple(config.ssrc for config in configs) if len(configs) == 1 else (),
                    rtx_ssrcs=tuple(c.rtx_ssrc for c in configs if c.rtx_ssrc) if len(configs) == 1 else (),
                )
            )
        person.peer.offer()

    @staticmethod
    def _subscribe(rooms: Rooms, members: list[Person]) -> None:
        for place, person in enumerate(members):
            if person.tracks and not rooms.mutual:
                continue
            count: dict[MediaKind, int] = defaultdict(int)
            for other_place, other in enumerate(members):
                for track in other.tracks if other is not person else ():
                    spatial = (place + other_place) % len(track.sources)
                    track.wanted[spatial] += 1
                    person.peer.subscribe(track.track_id, spatial=spatial)
                    person.sources[track.track_id] = track.sources[spatial].stream.config.ssrc
                    count[track.kind] += 1
            person.peer.receive_lines(audio=count[MediaKind.AUDIO], video=count[MediaKind.VIDEO])
            person.peer.offer()


def _tracks(rooms: Rooms, number: int, random: Random) -> list[Track]:
    transport = TransportCounter()
    tracks: list[Track] = []
    start_at = random.random() / 30
    if rooms.camera is not None:
        cameras = _cameras(rooms.camera, number, transport, start_at)
        tracks.append(Track(f"TR_V{number}", MediaKind.VIDEO, cameras, [0] * len(cameras)))
    if rooms.microphone is not None:
        config = StreamConfig(
            _ssrc(number, 0), 111, clock_rate=48_000, mid=str(len(tracks)), transport=transport
        )
        voice = Speech(config, rooms.microphone.mean_bytes, start_at, number)
        tracks.append(Track(f"TR_A{number}", MediaKind.AUDIO, [voice], [0]))
    return tracks


def _cameras(camera: Camera, number: int, transport: TransportCounter, start_at: float) -> list[VideoSource]:
    layers = camera.layers_bps
    return [
        VideoSource(
            StreamConfig(
                _ssrc(number, 1 + 2 * layer),
                96,
                mid="0",
                rid=RIDS[layer] if len(layers) > 1 else "",
                rtx_ssrc=_ssrc(number, 2 + 2 * layer),
                rtx_payload_type=97,
                transport=transport,
            ),
            fps=camera.fps,
            bitrate_bps=bitrate_bps,
            temporal_layers=3 if len(layers) > 1 else 1,
            start_at=start_at,
            seed=number,
        )
        for layer, bitrate_bps in enumerate(layers)
    ]


def _ssrc(number: int, stream: int) -> int:
    return 0x10000 + number * 16 + stream
