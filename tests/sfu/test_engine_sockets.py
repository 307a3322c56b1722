"""The engine on real sockets: every way of sending and receiving carries the same packets."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sfu import control
from sfu.config import MediaConfig
from sfu.control import Event, MediaKind, RouterId
from sfu.engine import Engine
from sfu.rtp.header import PacketClass, demux, parse_header
from tests.harness.keyed_peer import KeyedPeer
from tests.harness.offers import Line
from tests.harness.rtp_source import StreamConfig, VideoSource
from tests.harness.rtp_stream import rtp_header

WAIT_S = 10.0
ROUTER = RouterId("RM_room")
DESCRIPTOR = 4
"""Bytes in front of a payload, which are rewritten."""


class SocketPeer:
    """A keyed peer with a UDP socket."""

    def __init__(self, name: str, engine: Engine, host: str) -> None:
        self.peer = KeyedPeer(name, engine.execute)
        self._engine = engine
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self._server = (host, engine.ports[0].port)
        self.peer.open()

    def send(self, data: bytes) -> None:
        self._socket.sendto(data, self._server)

    async def receive(self) -> bytes:
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(loop.sock_recv(self._socket, 2048), WAIT_S)

    async def connect(self) -> None:
        """Be validated by ICE, then keyed."""
        self.send(self.peer.check())
        assert self.peer.is_confirmed(await self.receive())
        self._engine.transports[self.peer.id].keyed(self.peer.keys)

    async def media(self) -> tuple[int, bytes]:
        """The next RTP packet: its number and payload."""
        while True:
            data = await self.receive()
            if demux(data[0], data[1]) is PacketClass.RTP:
                plain = self.peer.srtp.unprotect(data)
                assert plain is not None
                header = parse_header(plain, len(plain))
                return header.sequence, plain[header.payload_start : header.payload_end]

    def close(self) -> None:
        self._socket.close()


WAYS = {
    "GSO": {},
    "sendmmsg": {"use_gso": False},
    "one by one": {"use_sendmmsg": False},
    "IPv6": {"bind_addresses": ("::1",), "node_ip": "::1"},
}


@pytest_asyncio.fixture(params=WAYS)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    settings = {"bind_addresses": ("127.0.0.1",), "node_ip": "127.0.0.1"} | WAYS[request.param]
    events: list[Event] = []
    made = Engine(MediaConfig(udp_port=0, tcp_port=0, **settings), events.append)  # type: ignore[arg-type]
    made.events = events  # type: ignore[attr-defined]
    await made.start()
    yield made
    await made.close()


@pytest_asyncio.fixture
async def call(engine: Engine) -> AsyncIterator[tuple[SocketPeer, list[SocketPeer]]]:
    """A publisher of one camera and two who watch it."""
    engine.execute(control.OpenRouter(ROUTER))
    host = engine.ports[0].host
    alice = SocketPeer("PC_alice", engine, host)
    watchers = [SocketPeer(f"PC_{name}", engine, host) for name in ("bob", "carol")]
    alice.peer.expect("TR_camera", MediaKind.VIDEO)
    alice.peer.send_line(Line("video", "0", cid="TR_camera", ssrcs=(0x55,)))
    alice.peer.offer()
    for watcher in watchers:
        watcher.peer.subscribe("TR_camera")
        watcher.peer.receive_lines(video=1)
        watcher.peer.offer()
    by_id = {one.peer.id: one for one in (alice, *watchers)}
    for event in engine.events:  # type: ignore[attr-defined]
        by_id[event.transport_id].peer.on_event(event)
    for one in by_id.values():
        await one.connect()
    yield alice, watchers
    for one in by_id.values():
        one.close()


async def test_pictures_reach_everybody_in_order(
    engine: Engine, call: tuple[SocketPeer, list[SocketPeer]]
) -> None:
    alice, watchers = call
    source = VideoSource(StreamConfig(0x55, 96, mid="0"), bitrate_bps=2_000_000)
    waiting = [asyncio.create_task(watcher.media()) for watcher in watchers]
    sent: list[bytes] = []
    for frame in range(int(50 * WAIT_S)):
        source.keyframe()
        packets = source.take(frame / 30)
        sent += [packet.payload[DESCRIPTOR:] for packet in packets]
        for packet in packets:
            alice.send(alice.peer.srtp.protect(packet.data))
        done, _ = await asyncio.wait(waiting, timeout=0.02)
        if len(done) == len(waiting):
            break

    for watcher, task in zip(watchers, waiting, strict=True):
        number, payload = await task
        for expected in sent[sent.index(payload[DESCRIPTOR:]) + 1 :]:
            following, payload = await watcher.media()
            assert following == (number + 1) & 0xFFFF
            assert payload[DESCRIPTOR:] == expected
            number = following
    assert engine.egress.counters.dropped == engine.egress.counters.unprotected == 0


@pytest.mark.parametrize("waits", [False, True])
async def test_pieces_are_large_while_nobody_else_is_sent_anything(
    engine: Engine,
    call: tuple[SocketPeer, list[SocketPeer]],
    monkeypatch: pytest.MonkeyPatch,
    waits: bool,
) -> None:
    """Copies of large fan-outs are not what others are sent at once."""
    if waits:
        monkeypatch.setattr("sfu.forwarding.backlog.WIDE", 1)
    alice, (bob, _) = call
    source = VideoSource(StreamConfig(0x55, 96, mid="0"), bitrate_bps=500_000)
    watching = asyncio.create_task(_watch(bob, 30))
    for frame in range(int(50 * WAIT_S)):
        if not frame % 10:
            source.keyframe()
        for packet in source.take(frame / 30):
            alice.send(alice.peer.srtp.protect(packet.data))
        done, _ = await asyncio.wait([watching], timeout=0.02)
        if done:
            break
    await watching
    assert (engine.tick._at_once_at < 0) is waits


async def _watch(peer: SocketPeer, packets: int) -> None:
    for _ in range(packets):
        await peer.media()


async def test_what_a_fault_has_left_goes_with_the_next_batch(
    engine: Engine, call: tuple[SocketPeer, list[SocketPeer]]
) -> None:
    alice, (bob, _) = call
    source = VideoSource(StreamConfig(0x55, 96, mid="0"), bitrate_bps=500_000)
    source.keyframe()
    frames = (packet for frame in range(1000) for packet in source.take(frame / 30))
    watching = asyncio.create_task(_watch(bob, 1))
    while not watching.done():
        alice.send(alice.peer.srtp.protect(next(frames).data))
        await asyncio.wait([watching], timeout=0.02)
    await watching
    left = b"left" * 200
    packet = rtp_header(96, 1, 90_000, 0x77, False) + left
    engine.tick.resend(engine.transports[bob.peer.id].row, packet)  # a fault keeps it from being sent
    alice.send(alice.peer.srtp.protect(next(frames).data))
    engine.tick.turn(engine.ports[0], time.monotonic(), time.time())
    while (await bob.media())[1] != left:
        pass
