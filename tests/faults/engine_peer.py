"""An engine of the test's own on a free port, and keyed peers with sockets that talk to it."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from sfu import control
from sfu.config import MediaConfig
from sfu.control import Event, MediaKind, RouterId, TransportId
from sfu.engine import Engine
from tests.harness.keyed_peer import KeyedPeer
from tests.harness.offers import OPUS, Line
from tests.harness.rtp_stream import rtp_header

LOOPBACK = MediaConfig(udp_port=0, tcp_port=0, bind_addresses=("127.0.0.1",))


class EnginePeer(KeyedPeer):
    """A keyed peer with a socket; the engine is given its keys."""

    def __init__(self, name: str, engine: Engine) -> None:
        super().__init__(name, engine.execute)
        self.engine = engine
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(("127.0.0.1", engine.ports[0].port))
        self._sequence = 0
        self.open()

    def publish(self) -> None:
        """Offer a microphone named like the peer."""
        self.expect(self.id, MediaKind.AUDIO)
        self.send_line(Line("audio", "0", cid=self.id, ssrcs=(1 + len(self.engine.transports),)))
        self.connect()

    def listen_to(self, *publishers: str) -> None:
        """Subscribe to microphones."""
        for publisher in publishers:
            self.subscribe(publisher)
        self.receive_lines(audio=len(publishers))
        self.connect()

    def connect(self) -> None:
        """Offer, and be keyed; the address is found by :meth:`consent`."""
        self.offer()
        self.engine.transports[TransportId(self.id)].keyed(self.keys)

    def consent(self) -> None:
        self.socket.send(self.check())

    def speak(self, payload: bytes) -> None:
        """Send the next packet of the microphone."""
        self._sequence += 1
        header = rtp_header(OPUS, self._sequence, 960 * self._sequence, self.lines[0].ssrcs[0], False)
        self.socket.send(self.srtp.protect(header + payload))

    def take(self) -> list[bytes]:
        """Datagrams that came since last asked."""
        datagrams = []
        try:
            while True:
                datagrams.append(self.socket.recv(2048))
        except OSError:
            return datagrams

    def confirmed(self) -> int:
        """Answers to checks among them."""
        return sum(map(self.is_confirmed, self.take()))

    def heard(self) -> list[bytes]:
        """RTP among them, decrypted."""
        packets = [data for data in self.take() if data[0] >= 128 and not 192 <= data[1] <= 223]
        plain = [self.srtp.unprotect(packet) for packet in packets]
        return [packet for packet in plain if packet is not None]


class Hall:
    """One engine and its peers, by name."""

    def __init__(self, engine: Engine, peers: dict[str, EnginePeer]) -> None:
        self.engine = engine
        self._peers = peers

    def peer(self, name: str) -> EnginePeer:
        """A new peer in the only router."""
        self._peers[name] = peer = EnginePeer(name, self.engine)
        return peer


@asynccontextmanager
async def hall(**settings: object) -> AsyncIterator[Hall]:
    """A running engine; ``settings`` are fields of MediaConfig."""
    peers: dict[str, EnginePeer] = {}

    def emit(event: Event) -> None:
        peer = peers.get(getattr(event, "transport_id", ""))
        if peer is not None:
            peer.on_event(event)

    engine = Engine(replace(LOOPBACK, **settings), emit)  # type: ignore[arg-type]
    await engine.start()
    engine.execute(control.OpenRouter(RouterId("RM_room")))
    try:
        yield Hall(engine, peers)
    finally:
        await engine.close()
        for peer in peers.values():
            peer.socket.close()
