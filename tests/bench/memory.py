"""What an idle subscriber costs: RSS growth of the engine's process by connection, with real DTLS and SCTP."""

import asyncio
from dataclasses import dataclass
from typing import cast

from sfu import control
from sfu.config import MediaConfig
from sfu.control import RouterId
from sfu.net.dtls import Certificate, DtlsTransport
from sfu.net.sctp import SctpAssociation
from tests.bench.remote import RemoteEngine
from tests.harness.keyed_peer import PWD, KeyedPeer
from tests.harness.offers import FINGERPRINT, write_offer

WARM_UP = 50
CONNECTIONS = 400
_ROUTER = "RM_memory"
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
    """RSS growth of the engine's process for each connection."""

    connections: int
    bytes_each: float


class _Subscriber(asyncio.DatagramProtocol):
    """A client with six receiving m-lines and data channels, as the SDKs have at the start."""

    def __init__(self, name: str, engine: RemoteEngine, certificate: Certificate) -> None:
        self.peer = KeyedPeer(name, engine.execute, router=_ROUTER)
        self._certificate = certificate
        self._transport: asyncio.DatagramTransport | None = None
        self._sctp: SctpAssociation | None = None
        self._handshake: asyncio.Task[None] | None = None
        self._dtls = DtlsTransport(certificate, "client", self._send, self._on_data)
        self.ready = asyncio.Event()

    def offer(self) -> None:
        self.peer.open()
        self.peer.receive_lines(audio=3, video=3)
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


async def measure(config: MediaConfig) -> Footprint:
    """Connect subscribers to an engine of their own and see how much it grows."""
    engine = RemoteEngine(config, core=0)
    try:
        engine.execute(control.OpenRouter(RouterId(_ROUTER)))
        certificate = Certificate.generate()
        await _connect(engine, certificate, 0, WARM_UP)
        before = engine.stats().rss_bytes
        await _connect(engine, certificate, WARM_UP, CONNECTIONS)
        return Footprint(CONNECTIONS, (engine.stats().rss_bytes - before) / CONNECTIONS)
    finally:
        engine.stop()


async def _connect(engine: RemoteEngine, certificate: Certificate, first: int, count: int) -> None:
    for start in range(first, first + count, _AT_ONCE):
        people = [_Subscriber(f"TR_{start + n}", engine, certificate) for n in range(_AT_ONCE)]
        for person in people:
            person.offer()
        by_id = {person.peer.id: person.peer for person in people}
        for event in engine.flush():
            if isinstance(event, control.AnswerReady):
                by_id[event.transport_id].on_event(event)
        async with asyncio.timeout(_CONNECT_S):
            await asyncio.gather(*(person.connect(engine.port) for person in people))
    await asyncio.sleep(_SETTLE_S)
