"""More video than an engine can forward, on real sockets: audio goes on, video is left out and comes back."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from sfu import control
from sfu.config import MediaConfig
from sfu.control import Event, MediaKind, RouterId
from sfu.engine import Engine
from sfu.rtp.header import PacketClass, demux, parse_header
from tests.harness.keyed_peer import KeyedPeer
from tests.harness.offers import Line
from tests.harness.rtp_source import AudioSource, StreamConfig, VideoSource

HOST = "127.0.0.1"
PICTURE_COST_S = 0.003
"""What forwarding a packet of video takes the engine in this test."""
LIGHT_BPS = 300_000
HEAVY_BPS = 6_000_000
"""About 700 packets a second, twice what the engine can do."""
HEAVY_S = 2.5
TAIL_S = 2.0
RECOVERY_S = 1.0


class Client(threading.Thread):
    """A peer on a thread of its own, so that a busy engine doesn't hold it up; notes when each number came."""

    def __init__(self, name: str, engine: Engine) -> None:
        super().__init__(daemon=True)
        self.peer = KeyedPeer(name, engine.execute)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.connect((HOST, engine.ports[0].port))
        self.socket.settimeout(0.05)
        self.came: dict[int, dict[int, float]] = {}
        """Of each payload type: sequence numbers and when."""
        self.done = False
        self.peer.open()

    def run(self) -> None:
        while not self.done:
            try:
                data = self.socket.recv(2048)
            except TimeoutError:
                continue
            if demux(data[0], data[1]) is not PacketClass.RTP:
                continue
            plain = self.peer.srtp.unprotect(data)
            assert plain is not None
            header = parse_header(plain, len(plain))
            self.came.setdefault(header.payload_type, {})[header.sequence] = time.monotonic()


class Publisher(Client):
    """A microphone all the time, and a camera that overdoes it for a while."""

    def __init__(self, name: str, engine: Engine) -> None:
        super().__init__(name, engine)
        self.voice = AudioSource(StreamConfig(0x66, 111, clock_rate=48_000, mid="1"))
        self.spoke_at: list[float] = []
        self.heavy_at = self.light_at = 0.0

    def run(self) -> None:
        camera = VideoSource(StreamConfig(0x55, 96, mid="0"), bitrate_bps=LIGHT_BPS)
        started_at = time.monotonic()
        self.heavy_at, self.light_at = started_at + 0.5, started_at + 0.5 + HEAVY_S
        while (now := time.monotonic()) < self.light_at + TAIL_S:
            heavy = self.heavy_at <= now < self.light_at
            camera.bitrate_bps = HEAVY_BPS if heavy else LIGHT_BPS
            if not heavy:
                camera.keyframe()
            for sent in self.voice.take(now - started_at):
                self.spoke_at.append(time.monotonic())
                self.socket.send(self.peer.srtp.protect(sent.data))
            for sent in camera.take(now - started_at):
                self.socket.send(self.peer.srtp.protect(sent.data))
            time.sleep(0.005)


@pytest_asyncio.fixture
async def engine(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    events: list[Event] = []
    config = MediaConfig(udp_port=0, tcp_port=0, bind_addresses=(HOST,), node_ip=HOST, batch_size=64)
    made = Engine(config, events.append)
    made.events = events  # type: ignore[attr-defined]
    forward = made.forwarder.forward

    def slowly(layer: Any, *rest: Any) -> None:
        if layer.track.kind is MediaKind.VIDEO:
            time.sleep(PICTURE_COST_S)
        forward(layer, *rest)

    monkeypatch.setattr(made.forwarder, "forward", slowly)
    await made.start()
    yield made
    await made.close()


@pytest_asyncio.fixture
async def call(engine: Engine) -> AsyncIterator[tuple[Publisher, Client]]:
    engine.execute(control.OpenRouter(RouterId("RM_room")))
    alice, bob = Publisher("PC_alice", engine), Client("PC_bob", engine)
    for mid, kind, ssrc in (("0", MediaKind.VIDEO, 0x55), ("1", MediaKind.AUDIO, 0x66)):
        alice.peer.expect(f"TR_{kind.value}", kind)
        alice.peer.send_line(Line(kind.value, mid, cid=f"TR_{kind.value}", ssrcs=(ssrc,)))
    alice.peer.offer()
    for kind in (MediaKind.VIDEO, MediaKind.AUDIO):
        bob.peer.subscribe(f"TR_{kind.value}")
    bob.peer.receive_lines(audio=1, video=1)
    bob.peer.offer()
    by_id = {one.peer.id: one for one in (alice, bob)}
    for event in engine.events:  # type: ignore[attr-defined]
        by_id[event.transport_id].peer.on_event(event)
    for one in by_id.values():
        one.socket.send(one.peer.check())
        while not engine.transports[one.peer.id].ice.selected:
            await asyncio.sleep(0.01)
        engine.transports[one.peer.id].keyed(one.peer.keys)
    yield alice, bob
    bob.done = True
    for one in by_id.values():
        await asyncio.to_thread(one.join)
        one.socket.close()


async def test_audio_goes_on_while_video_is_left_out_and_both_recover(
    engine: Engine, call: tuple[Publisher, Client]
) -> None:
    alice, bob = call
    bob.start()
    alice.start()
    await asyncio.to_thread(alice.join)
    await asyncio.sleep(0.2)

    audio, video = (bob.came[payload_type] for payload_type in (111, 96))
    overload, shedder = engine.tick.overload, engine.tick.shedder
    assert overload.raised >= 1
    assert shedder.packets > 100
    # Nothing of the audio is lost, but what came before the first packet was forwarded.
    numbers = sorted(audio)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert len(numbers) > 0.9 * len(alice.spoke_at)
    # Late while the engine was behind, in time soon after it was relieved.
    first = len(alice.spoke_at) - len(numbers)
    late_s = {
        spoke_at: audio[number] - spoke_at
        for spoke_at, number in zip(alice.spoke_at[first:], numbers, strict=True)
    }
    assert max(late_s.values()) < HEAVY_S / 2
    assert max(late for spoke_at, late in late_s.items() if spoke_at > alice.light_at + RECOVERY_S) < 0.1
    # The camera is back, and its numbers have no holes: nobody asked for what was left out.
    assert max(video.values()) > alice.light_at + RECOVERY_S
    numbers = sorted(video)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
