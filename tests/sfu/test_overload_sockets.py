"""More video than an engine can forward, on real sockets: audio goes on, video is left out and comes back.

Counted in packets: how many of the video the engine forwards between sending one of the audio and forwarding that. A
machine that is slow for everybody does not change it; a queue does.
"""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from sfu import control
from sfu.config import MediaConfig
from sfu.control import Event, MediaKind, RouterId, TransportId
from sfu.engine import Engine
from sfu.forwarding.uptrack import Layer
from sfu.rtp.header import PacketClass, demux, parse_header
from sfu.snapshot import Loss, snapshot
from tests.harness.eventually import eventually
from tests.harness.keyed_peer import KeyedPeer
from tests.harness.offers import Line
from tests.harness.rtp_source import AudioSource, StreamConfig, VideoSource

HOST = "127.0.0.1"
AUDIO, VIDEO = 111, 96
"""Payload types."""
PICTURE_COST_S = 0.003
"""What forwarding a packet of video takes the engine in this test."""
LIGHT_BPS = 300_000
HEAVY_BPS = 6_000_000
"""About 700 packets a second, twice what the engine can do."""
HEAVY_PACKETS = 1800
"""Without help the engine would be 900 behind at the end."""
BEHIND, IN_TIME = 400, 30
"""Packets of video that one of audio waits for at most, while there is too much of it and after that."""
TAIL_PACKETS = 50
"""Of audio, a second of it, after all is well again."""


class Party(threading.Thread):
    """A peer on a thread of its own, so that a busy engine doesn't hold it up."""

    def __init__(self, name: str, engine: "SlowEngine") -> None:
        super().__init__(daemon=True)
        self.engine = engine
        self.peer = KeyedPeer(name, engine.execute)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.connect((HOST, engine.ports[0].port))
        self.socket.settimeout(0.05)
        self.done = False
        self.peer.open()


class Listener(Party):
    """Notes what comes."""

    def __init__(self, name: str, engine: "SlowEngine") -> None:
        super().__init__(name, engine)
        self.came: dict[int, set[int]] = {AUDIO: set(), VIDEO: set()}
        """Sequence numbers of each payload type."""

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
            self.came[header.payload_type].add(header.sequence)


class Publisher(Party):
    """A microphone, and a camera that overdoes it for a while."""

    def __init__(self, name: str, engine: "SlowEngine") -> None:
        super().__init__(name, engine)
        self.heavy = False
        self.video_packets = 0
        self.spoken: list[int] = []
        """Sequence numbers of the audio."""

    def run(self) -> None:
        voice = AudioSource(StreamConfig(0x66, AUDIO, clock_rate=48_000, mid="1"))
        camera = VideoSource(StreamConfig(0x55, VIDEO, mid="0"), bitrate_bps=LIGHT_BPS)
        started_at = time.monotonic()
        while not self.done:
            now = time.monotonic() - started_at
            camera.bitrate_bps = HEAVY_BPS if self.heavy else LIGHT_BPS
            if not self.heavy:
                camera.keyframe()
            for sent in voice.take(now):
                data = self.peer.srtp.protect(sent.data)
                self.spoken.append(sent.sequence)
                self.engine.forwarded_before[sent.sequence] = self.engine.video_forwarded
                self.socket.send(data)
            for sent in camera.take(now):
                self.video_packets += 1
                self.socket.send(self.peer.srtp.protect(sent.data))
            time.sleep(0.005)


class SlowEngine(Engine):
    """Takes its time for each packet of video, and counts."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        config = MediaConfig(udp_port=0, tcp_port=0, bind_addresses=(HOST,), node_ip=HOST, batch_size=64)
        super().__init__(config, self.events.append)
        self.video_forwarded = 0
        self.forwarded_before: dict[int, int] = {}
        """Of each packet of audio: how many of the video were forwarded when it was sent ..."""
        self.waited: dict[int, int] = {}
        """... and how many more, when it was its turn."""
        self._forward = self.forwarder.forward
        self.forwarder.forward = self.forward  # type: ignore[method-assign]
        self.forwarder._publish = lambda layer, layout: None  # type: ignore[method-assign]  # all go that way

    def forward(self, layer: Layer, sequence: int, *rest: Any) -> None:
        """In the forwarder's place."""
        if layer.track.kind is MediaKind.VIDEO:
            time.sleep(PICTURE_COST_S)
            self.video_forwarded += 1
        else:
            number = sequence & 0xFFFF
            self.waited[number] = self.video_forwarded - self.forwarded_before[number]
        self._forward(layer, sequence, *rest)


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[SlowEngine]:
    made = SlowEngine()
    await made.start()
    yield made
    await made.close()


@pytest_asyncio.fixture
async def call(engine: SlowEngine) -> AsyncIterator[tuple[Publisher, Listener]]:
    engine.execute(control.OpenRouter(RouterId("RM_room")))
    alice, bob = Publisher("PC_alice", engine), Listener("PC_bob", engine)
    for mid, kind, ssrc in (("0", MediaKind.VIDEO, 0x55), ("1", MediaKind.AUDIO, 0x66)):
        alice.peer.expect(f"TR_{kind.value}", kind)
        alice.peer.send_line(Line(kind.value, mid, cid=f"TR_{kind.value}", ssrcs=(ssrc,)))
    alice.peer.offer()
    for kind in (MediaKind.VIDEO, MediaKind.AUDIO):
        bob.peer.subscribe(f"TR_{kind.value}")
    bob.peer.receive_lines(audio=1, video=1)
    bob.peer.offer()
    parties: dict[str, Party] = {one.peer.id: one for one in (alice, bob)}
    for event in engine.events:
        parties[event.transport_id].peer.on_event(event)  # type: ignore[union-attr]
    for transport_id, party in parties.items():
        transport = engine.transports[TransportId(transport_id)]
        party.socket.send(party.peer.check())
        await eventually(lambda transport=transport: transport.ice.selected)
        transport.keyed(party.peer.keys)
        party.start()
    yield alice, bob
    for party in parties.values():
        party.done = True
        await asyncio.to_thread(party.join)
        party.socket.close()


async def test_audio_goes_on_while_video_is_left_out_and_both_recover(
    engine: SlowEngine, call: tuple[Publisher, Listener]
) -> None:
    alice, bob = call
    audio, video = bob.came[AUDIO], bob.came[VIDEO]
    overload, shedder = engine.tick.overload, engine.tick.shedder
    await eventually(lambda: len(video) > 10, "a call")
    alice.heavy = True
    enough = alice.video_packets + HEAVY_PACKETS
    await eventually(lambda: alice.video_packets >= enough, "too much video")
    alice.heavy = False
    before = len(video)
    await eventually(lambda: not overload.level and len(video) > before + 20, "the camera back")
    behind = set(engine.waited)
    enough = len(alice.spoken) + TAIL_PACKETS
    await eventually(lambda: len(alice.spoken) >= enough, "a second without trouble")
    alice.done = True
    await asyncio.to_thread(alice.join)
    await eventually(lambda: alice.spoken[-1] in engine.waited, "the last audio")
    await eventually(lambda: len(audio) == len(engine.waited), "all audio")

    told = snapshot(engine)
    assert told.overloads == overload.raised >= 1
    assert told.lost[Loss.OVERLOAD] == shedder.packets > 100
    # Nothing of the audio is lost, but what came before the first packet was forwarded.
    assert list(engine.waited) == alice.spoken[-len(engine.waited) :]
    assert len(engine.waited) > 0.9 * len(alice.spoken)
    assert max(engine.waited[number] for number in behind) < BEHIND
    assert max(waited for number, waited in engine.waited.items() if number not in behind) < IN_TIME
    # Nothing is missing between the first that came and the last: nobody asked for what was left out.
    for numbers in (audio, video):
        assert sorted(numbers) == list(range(min(numbers), max(numbers) + 1))
