"""What a subscriber costs: RSS growth of the engine's process by connection, with real DTLS and SCTP."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sfu import control
from sfu.config import MediaConfig
from sfu.net.dtls import Certificate, DtlsTransport
from sfu.net.sctp import SctpAssociation
from tests.bench.crowd import Crowd, Track
from tests.bench.loads import Camera, Load, Microphone, Rooms
from tests.bench.remote import RemoteEngine
from tests.bench.scene import ENGINE_CORE, Progress
from tests.bench.sockets import PeerSocket
from tests.bench.tape import Studio
from tests.harness.keyed_peer import PWD, KeyedPeer
from tests.harness.offers import FINGERPRINT, write_offer

WARM_UP = 50
CONNECTIONS = 300
PUBLISHERS = Load("", "", (Rooms(1, 5, camera=Camera((150_000,)), microphone=Microphone()),))
"""Ten tracks."""
PUBLISHERS_OF_NOTHING = Load("", "", (Rooms(1, 0),))
MEDIA_STEPS = 10
_ROUTER = "RM_0"
_CONNECT_S = 30.0
_SETTLE_S = 2.0
_AT_ONCE = 10
_DATA_LINES = (
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    "a=mid:data",
    "a=sctp-port:5000",
    "a=max-message-size:65536",
)


@dataclass(frozen=True, slots=True)
class Footprint:
    """RSS growth of the engine's process for each connection, in bytes."""

    connections: int
    idle: float
    """With six receiving m-lines, DTLS, SCTP and three channels."""
    subscribed: float
    """With ten subscriptions besides, all of which have received."""


class _Subscriber(asyncio.DatagramProtocol):
    """A client with six receiving m-lines and data channels, as the SDKs have at the start, or with a line for each
    track that it subscribes to."""

    def __init__(
        self, name: str, engine: RemoteEngine, certificate: Certificate, tracks: Sequence[Track]
    ) -> None:
        self.peer = KeyedPeer(name, engine.execute, router=_ROUTER)
        self._tracks = tracks
        self._certificate = certificate
        self._transport: asyncio.DatagramTransport | None = None
        self._sctp: SctpAssociation | None = None
        self._handshake: asyncio.Task[None] | None = None
        self._dtls = DtlsTransport(certificate, "client", self._send, self._on_data)
        self.ready = asyncio.Event()

    def offer(self) -> None:
        self.peer.open()
        for track in self._tracks:
            self.peer.subscribe(track.track_id)
        lines = max(3, len(self._tracks) // 2)
        self.peer.receive_lines(audio=lines, video=lines)
        text = write_offer(self.peer.lines, self.peer.ufrag, PWD)
        text = text.replace(FINGERPRINT, f"sha-256 {self._certificate.fingerprint}")
        text = text.replace("a=group:BUNDLE ", "a=group:BUNDLE data ") + "\r\n".join(_DATA_LINES) + "\r\n"
        self.peer._execute(control.Offer(self.peer.id, 1, text))

    async def connect(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, remote_addr=("127.0.0.1", port))
        self._send(self.peer.check())
        await self.ready.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        if data[0] > 127:
            return  # media
        if data[0] > 3:
            self._dtls.feed(data)
        elif self._handshake is None:
            self._handshake = asyncio.get_running_loop().create_task(self._shake_hands())

    async def _shake_hands(self) -> None:
        await self._dtls.handshake(self.peer.answer.fingerprints)
        self._sctp = SctpAssociation(self._dtls.send_data, "client", self)
        self._sctp.start()
        for label in (control.RELIABLE, control.LOSSY, control.DATA_TRACK):
            self._sctp.open_channel(label)

    def channel_opened(self, label: str) -> None:
        if label == control.DATA_TRACK:
            self.ready.set()

    def message(self, label: str, payload: bytes, binary: bool) -> None:
        """Nobody sends anything here."""

    def _send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(data)

    def _on_data(self, data: bytes) -> None:
        if self._sctp is not None:
            self._sctp.feed(data)


def measure(config: MediaConfig, progress: Progress) -> Footprint:
    """Connect subscribers to engines of their own and see how much these grow."""
    progress("idle subscribers")
    idle = asyncio.run(_growth(config, PUBLISHERS_OF_NOTHING))
    progress("ten subscriptions each")
    subscribed = asyncio.run(_growth(config, PUBLISHERS))
    progress("done")
    return Footprint(CONNECTIONS, idle, subscribed)


async def _growth(config: MediaConfig, load: Load) -> float:
    engine = RemoteEngine(config, ENGINE_CORE)
    socket = PeerSocket(load.people)
    socket.aim("127.0.0.1", engine.port)
    try:
        crowd = Crowd(load, engine, socket)
        crowd.connect()
        studio = Studio(crowd)
        certificate = Certificate.generate()
        await _connect(engine, certificate, crowd, 0, WARM_UP)
        await _send(engine, studio, socket)
        before = engine.stats().rss_bytes
        await _connect(engine, certificate, crowd, WARM_UP, CONNECTIONS)
        await _send(engine, studio, socket)
        return (engine.stats().rss_bytes - before) / CONNECTIONS
    finally:
        engine.stop()
        socket.close()


async def _connect(
    engine: RemoteEngine, certificate: Certificate, crowd: Crowd, first: int, count: int
) -> None:
    tracks = [track for person in crowd.publishers for track in person.tracks]
    for start in range(first, first + count, _AT_ONCE):
        people = [_Subscriber(f"TR_{start + n}", engine, certificate, tracks) for n in range(_AT_ONCE)]
        for person in people:
            person.offer()
        by_id = {person.peer.id: person.peer for person in people}
        for event in engine.flush():
            if isinstance(event, control.AnswerReady):
                by_id[event.transport_id].on_event(event)
        async with asyncio.timeout(_CONNECT_S):
            await asyncio.gather(*(person.connect(engine.port) for person in people))
        crowd.check()


async def _send(engine: RemoteEngine, studio: Studio, socket: PeerSocket) -> None:
    """Let media flow, key frames first, then let things settle."""
    for _ in range(MEDIA_STEPS):
        tape = studio.record(0.05, feedback=False, keyframes=True)
        socket.send(*tape.part(0, len(tape.peers)))
        while engine.waiting.octets:
            await asyncio.sleep(0.01)
    await asyncio.sleep(_SETTLE_S)
