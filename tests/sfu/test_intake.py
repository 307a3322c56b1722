"""Batches decrypted and counted by compiled loops: nobody can tell them from single packets."""

import ctypes
import socket
from collections.abc import Callable
from contextlib import closing
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubbub.testing.netem import PERFECT, Conditions
from sfu.compiled.intake import DROP_CONTROL, DROP_KIND, DROPS, OTHER, RTCP, phase_of
from sfu.compiled.messages import CONTROL_LENGTH
from sfu.compiled.srtp import RECEIVE, RECEIVE_RTCP, SESSION_IN
from sfu.compiled.streams import METER_WORDS, SMOOTHED
from sfu.config import MediaConfig
from sfu.forwarding.binding import Binding
from sfu.forwarding.ingress import Ingress
from sfu.forwarding.layout import SourceExtensions
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.stream_table import StreamTable
from sfu.forwarding.uptrack import Layer
from sfu.intake import Intake, Other
from sfu.mux import Mux
from sfu.net.egress import Egress
from sfu.net.mmsg import Receiver
from sfu.net.peers import PeerTable
from sfu.net.udp import UdpPort
from sfu.peer.context import PeerContext
from sfu.rtp import rtcp, twcc
from sfu.rtp.extensions import ExtensionUri
from sfu.rtp.header import FIXED_HEAD
from sfu.streams.arrivals import ArrivalLogs, Arrivals
from sfu.streams.speakers import SpeechSettings
from tests.harness.forwarding import OPUS, RED, audio_track, video_track
from tests.harness.lab import Lab
from tests.harness.rtp_source import AudioSource, simulcast
from tests.harness.rtp_stream import StreamConfig, TransportCounter, rtp_header

ROW = 2048
BATCH = 1024
CLIENTS = 3
EXTENSIONS = {
    1: ExtensionUri.MID,
    3: ExtensionUri.REPAIRED_RID,
    4: ExtensionUri.ABS_SEND_TIME,
    5: ExtensionUri.TRANSPORT_CC,
    10: ExtensionUri.AUDIO_LEVEL,
}
VIDEO_PT, RTX_PT, OPUS_PT, RED_PT = 96, 97, 111, 63
Sent = tuple[int, bytes]
"""Who sent a packet, and the packet."""
ARRIVAL_US = 7_000_000


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
def as_it_is(session: int, packet: int, length: int) -> int:
    """Stands for libsrtp where packets are not encrypted."""
    return 0


class MemoryPort:
    """Rows that are filled by hand."""

    index, timed, batched = 0, True, False

    def __init__(self) -> None:
        self.receiver = Receiver(BATCH, ROW)
        self.memory = self.receiver.rows.data.cast("B")
        self._count = 0

    def fill(self, most: int) -> int:
        return self._count

    def put(self, batch: list[Sent]) -> None:
        self._count = len(batch)
        for row, (owner, packet) in enumerate(batch):
            self.receiver.rows[row] = 0xFF
            self.receiver.rows[row, : len(packet)] = np.frombuffer(packet, np.uint8)
            self.receiver.put(row, address_of(owner), len(packet), ARRIVAL_US)


def address_of(owner: int) -> bytes:
    return bytes([2, 0, 0, 0, 10, 0, 0, owner]) + bytes(8)


class World:
    """Clients with a microphone, a muted one that nobody hears, and a camera each."""

    def __init__(self) -> None:
        self.table = StreamTable()
        self.now = 100.0
        self.delivered: list[tuple[object, ...]] = []
        self.started: list[Layer] = []
        speech = SpeechSettings()
        self.logs = ArrivalLogs()
        self.clients = [
            Ingress(self, SourceExtensions, speech, Arrivals(self.logs, phase_of(owner)), owner, self.table)
            for owner in range(CLIENTS)
        ]
        self.layers: list[Layer] = []
        for owner, ingress in enumerate(self.clients):
            tracks = [
                audio_track((RED, OPUS), measure_level=True),
                audio_track(measure_level=True),
                video_track(),
            ]
            for mid, track in enumerate(tracks):
                if mid != 1:
                    track.layers[0].rendition(temporal=7, plain=False)
                ssrcs = (ssrc_of(owner, mid),)
                binding = Binding(track, str(mid), ssrcs=ssrcs, rtx_ssrcs={ssrcs[0]: ssrcs[0] + 1}, nack=True)
                ingress.bind(binding, EXTENSIONS)
                self.layers += track.layers
        self.port, peers = MemoryPort(), PeerTable()
        mux = Mux(peers)
        mux.add_port(cast(UdpPort, self.port))
        for owner in range(CLIENTS):
            words = np.frombuffer(address_of(owner), np.int64).tolist()
            mux.owners[0].put((words[0], words[1], 0, 0), owner)
        keys, _, functions, _ = peers.srtp.tables(0)
        keys[:, SESSION_IN] = 1
        functions[[RECEIVE, RECEIVE_RTCP]] = ctypes.cast(as_it_is, ctypes.c_void_p).value or 0
        context = SimpleNamespace(
            peers=peers,
            streams=self.table,
            acknowledgements=SimpleNamespace(logs=self.logs),
            speech=speech,
            config=MediaConfig(batch_size=BATCH),
        )
        ways_out = Egress(peers, batch=False, gso=False).serve([])
        self.intake = Intake(mux, cast(PeerContext, context), self, self.other, ways_out, self.departed)
        self.others: list[tuple[int, bytes]] = []

    def departed(self) -> None:
        raise AssertionError("nothing was to be sent")

    def media(self, layer: Layer, sequence: int, packet: MediaPacket) -> None:
        block, layout = packet.block, packet.layout
        values = [(id_, layout.value(block, id_)) for id_ in EXTENSIONS]
        self.delivered.append(
            (
                self.layers.index(layer),
                sequence,
                bytes(packet.payload),
                values,
                packet[1:4],
                packet[5:],
            )
        )

    def layer_started(self, layer: Layer) -> None:
        self.started.append(layer)

    def singly(self, batch: list[Sent]) -> None:
        for owner, packet in batch:
            if len(packet) >= 12 and not 192 <= packet[1] <= 223:
                self.one(owner, memoryview(packet.ljust(ROW, b"\xff")), 0, len(packet))

    def one(self, owner: int, memory: memoryview, at: int, length: int) -> None:
        head: Any = FIXED_HEAD.unpack_from(memory, at)
        self.clients[owner].receive(memory, at, length, head, ARRIVAL_US, self.now)

    def at_once(self, batch: list[Sent]) -> int:
        """Returns how many packets were not plain."""
        self.port.put(batch)
        assert self.take(self.port) == len(batch)
        others = [kind for kind, _ in self.others if kind == OTHER]
        self.others.clear()
        return len(others)

    def take(self, port: MemoryPort | UdpPort) -> int:
        return self.intake.take(cast(UdpPort, port), BATCH, self.now, self.now)

    def other(self, port: UdpPort, other: Other) -> None:
        """What is no plain media."""
        at = other.row * ROW
        self.others.append((other.kind, bytes(port.memory[at : at + other.length])))
        if other.kind == OTHER:
            self.one(other.owner, port.memory, at, other.length)

    def state(self) -> list[object]:
        """Everything that anybody can learn of the streams; some of it can be asked once only."""
        found: list[object] = [len(self.started), self.delivered]
        for ingress in self.clients:
            found += [ingress.unknown, ingress.ignored, ingress.malformed]
            for ssrc, stream in [*ingress.streams.items(), *ingress.repairs.items()]:
                stats = stream.stats
                found += [ssrc, stats.highest, stats.timestamp, stats.jitter, stats.lost, stats.packets]
                found += [stats.duplicates, stats.rejected, stats.recovered, stats.restarts]
                found += [stats.report(ssrc, self.now)]
            for stream in ingress.streams.values():
                assert stream.nacks is not None
                stream.nacks.follow(stream.stats.highest)
                found += [stream.slot, stream.started, stream.frame_timestamp]
                found += [stream.nacks.due(self.now), stream.nacks.abandoned]
            found += [meter.level(self.now) for meter in ingress.levels.values()]
            for meter in ingress.levels.values():
                found.append(self.table.meters.reals[meter.row, SMOOTHED])
                found += self.table.meters.words[meter.row].tolist()[:METER_WORDS]
            log = [self.logs.log[phase, :noted] for phase, noted in enumerate(self.logs.noted.tolist())]
            found.append([key for part in log for key in part.tolist() if key[0] >> 16 == ingress._row])
        for layer in self.layers:
            found += [layer.last_packet_at, layer.live, layer.ssrc, layer.keyframes.waiting]
            found += [layer.clock.transit_s, layer.clock.first_at, layer.liveness.silence_s]
        return found


def ssrc_of(owner: int, mid: int) -> int:
    # Clients choose SSRCs as they like, also the same ones.
    return 0xF0000000 + 16 * mid if owner < 2 else 0x1000 + 16 * mid


class Source:
    """What one stream of a client sends: mostly the next packet, sometimes anything but."""

    def __init__(self, random: Random, owner: int, mid: int) -> None:
        self.random, self.owner, self.mid = random, owner, mid
        self.audio = mid < 2
        self.ssrc = ssrc_of(owner, mid)
        self.payload_type = OPUS_PT if self.audio else VIDEO_PT
        self.sequence = random.choice([5, 65_530, random.randrange(65_536)])
        self.timestamp = random.choice([0, 0xFFFFF000, random.randrange(1 << 32)])
        self.picture = 0
        self.marker = True

    def packets(self, twcc: Callable[[], int], odds: float) -> list[bytes]:
        """The next packets in the order in which they arrive."""
        packets = [self._next(twcc) for _ in range(1 if self.audio else self.random.randrange(1, 5))]
        if self.random.random() < odds:
            return self._disturb(packets, twcc)
        return packets

    def _next(self, twcc: Callable[[], int]) -> bytes:
        if self.marker or self.audio:
            self.timestamp += 960 if self.audio else 3000
            self.picture += 1
        started = self.marker
        self.marker = not self.audio and self.random.random() < 0.4
        self.sequence += 1
        return self._packet(twcc, self._payload(start=started))

    def _payload(self, *, start: bool) -> bytes:
        if self.audio:
            return bytes(self.random.randrange(3, 40))
        key = start and self.random.random() < 0.2
        descriptor = bytes([0x90 if start else 0x80, 0xE0])
        ids = (0x8000 | self.picture & 0x7FFF).to_bytes(2, "big") + bytes([self.picture & 0xFF, 0x20])
        return descriptor + ids + bytes([0 if key else 1]) + bytes(self.random.randrange(9, 60))

    def _packet(
        self, twcc: Callable[[], int], payload: bytes, first: int = 0, more: bytes = b"", **fields: int
    ) -> bytes:
        extensions = [(4, b"abc"), (5, twcc().to_bytes(2, "big"))]
        if self.audio and self.random.random() < 0.9:
            extensions.append((10, bytes([self.random.randrange(20, 60)])))
        if self.random.random() < 0.1:
            extensions.append((1, str(self.mid).encode()))
        header = bytearray(
            rtp_header(
                fields.get("payload_type", self.payload_type),
                fields.get("sequence", self.sequence) & 0xFFFF,
                fields.get("timestamp", self.timestamp) & 0xFFFFFFFF,
                fields.get("ssrc", self.ssrc),
                self.marker,
                extensions,
            )
        )
        header[0] |= first
        return bytes(header[:12]) + more + bytes(header[12:]) + payload

    def _disturb(self, packets: list[bytes], twcc: Callable[[], int]) -> list[bytes]:
        random = self.random
        match random.randrange(8):
            case 0:
                return packets[1:]
            case 1:
                return packets + packets[-1:]
            case 2:
                return packets[::-1]
            case 3:
                self.sequence += random.choice([1, 30, 400, 2000, 20_000])
            case 4:
                self.timestamp += random.choice([90_000, 1 << 29, 1 << 30, 1 << 31, -5000])
            case 5:
                self.ssrc = ssrc_of(self.owner, self.mid) + random.choice([0, 4])
            case 6 if self.mid == 0:
                self.payload_type ^= OPUS_PT ^ RED_PT
            case _:
                return packets + [self._next(twcc) for _ in range(random.randrange(1, 12))]
        return [*packets, self._odd(twcc)]

    def _odd(self, twcc: Callable[[], int]) -> bytes:
        """A packet unlike others."""
        random, payload = self.random, self._payload(start=False)
        self.sequence += 1
        repeated = (self.sequence - random.randrange(20) & 0xFFFF).to_bytes(2, "big")
        rtx = {"ssrc": self.ssrc + 1, "sequence": random.randrange(100), "payload_type": RTX_PT}
        bare = rtp_header(
            self.payload_type, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc, False
        )
        return random.choice(
            [
                self._packet(twcc, payload),
                self._packet(twcc, b"\x02\x02", first=0x20),
                self._packet(twcc, payload, ssrc=0xBAD, payload_type=77),
                self._packet(twcc, payload, first=1, more=b"csrc"),
                self._packet(twcc, b""),
                self._packet(twcc, payload)[: random.randrange(12, 24)],
                self._packet(twcc, repeated + payload, **rtx),
                bare + payload,
            ]
        )


class Counter:
    """Transport-wide numbers of a client."""

    def __init__(self) -> None:
        self.number = 65_500

    def __call__(self) -> int:
        self.number += 1
        return self.number & 0xFFFF


def traffic(seed: int, odds: float) -> list[list[Sent]]:
    """Batches in which streams are interleaved."""
    random = Random(seed)
    counters = [Counter() for _ in range(CLIENTS)]
    sources = [Source(random, owner, mid) for owner in range(CLIENTS) for mid in range(3)]
    batches = []
    for _ in range(random.randrange(2, 30)):
        batch: list[Sent] = []
        for source in random.sample(sources, random.randrange(1, len(sources) + 1)):
            batch += [(source.owner, packet) for packet in source.packets(counters[source.owner], odds)]
        if batch:
            batches.append(batch)
    return batches


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1 << 30), st.sampled_from([0.0, 0.02, 0.2]))
def test_batches_and_single_packets_come_to_the_same(seed: int, odds: float):
    singly, at_once = World(), World()
    pause = Random(seed)
    for batch in traffic(seed, odds):
        singly.singly(batch)
        at_once.at_once(batch)
        assert at_once.state() == singly.state()
        singly.now = at_once.now = singly.now + pause.choice([0.0, 0.01, 0.02, 0.9])


def test_what_is_plain_is_not_taken_singly():
    world = World()
    batches = traffic(1, 0.0)
    for batch in batches[:20]:
        world.singly(batch)

    sources = [Source(Random(2), 0, mid) for mid in range(3)]
    for source in sources:
        stream = world.clients[0].streams[source.ssrc]
        source.sequence, source.timestamp = stream.stats.highest, stream.stats.timestamp
        source.marker = False
    counter = Counter()

    def plain() -> list[Sent]:
        return [(0, source._packet(counter, source._payload(start=False))) for source in sources]

    for source in sources:
        source.random.random = lambda: 0.5  # type: ignore[method-assign]
        source.sequence += 1
    world.at_once(plain())  # their layouts become known
    before = len(world.delivered)
    for source in sources:
        source.sequence += 1
    assert world.at_once(plain()) == 0
    assert len(world.delivered) == before + 2, "nobody hears the second microphone"


def test_a_row_is_given_back_with_its_stream():
    world = World()
    before = len(world.table.streams)
    for ingress in world.clients:
        for track in {stream.track for stream in ingress.streams.values()}:
            ingress.unbind(track)
    assert (len(world.table.streams), len(world.table.index), before) == (0, 0, 3 * CLIENTS)
    rows = world.table.rows
    assert len(rows._free) == len(rows.words) - 1


@pytest.mark.parametrize("count", [4, 5])
def test_a_stream_may_have_several_timestamps_in_a_batch(count: int):
    singly, at_once = World(), World()
    source, counter = Source(Random(3), 0, 0), Counter()
    for size in (1, 1, 1, count, 1):
        batch: list[Sent] = [(0, source._next(counter)) for _ in range(size)]
        singly.singly(batch)
        at_once.at_once(batch)
        assert at_once.state() == singly.state()


# --- what else the kernel says ---


def test_the_kernel_tells_what_it_had_no_room_for() -> None:
    with closing(UdpPort(0, "127.0.0.1", 0, batch_size=8, buffer_bytes=8192, batch=True)) as port:
        world = World()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for turn in range(2):
                for _ in range(400 * turn + 4):
                    sender.sendto(b"\x46" * 1000, ("127.0.0.1", port.port))
                while world.take(port):
                    pass
                sender.sendto(b"\x46\x46", ("127.0.0.1", port.port))
                world.take(port)
                assert (world.intake.dropped > 0) == bool(turn)


def test_each_socket_counts_what_it_had_no_room_for() -> None:
    """Else two that once overflowed would look as if they did so again and again."""
    world = World()
    ports = [MemoryPort(), MemoryPort()]
    for index, (port, drops) in enumerate(zip(ports, (7, 40), strict=True)):
        port.index = index
        world.intake._mux.owners.append(world.intake._mux.owners[0])
        port.put([(0, b"\x46\x46")])
        port.receiver.headers[0, CONTROL_LENGTH] = 56
        port.receiver.origins[0, [DROP_KIND, DROPS]] = DROP_CONTROL, drops
    seen = []
    for port in ports * 3:
        world.take(port)
        seen.append(world.intake.dropped)
    assert seen == [7, 47, 47, 47, 47, 47]


# --- RTCP ---


def _rtcp_taken(world: World, packet: bytes) -> list[bytes]:
    """What of a packet is handed on."""
    world.port.put([(0, packet)])
    world.take(world.port)
    others, world.others = world.others, []
    return [data for kind, data in others if kind == RTCP]


def test_feedback_of_a_known_reporter_alone_is_left_out():
    world = World()
    messages = [
        twcc.build_feedback(5, 6, [(n, 5000 * n) for n in range(count)], 0)[0] for count in range(1, 9)
    ]
    for message in messages:
        assert _rtcp_taken(world, message) == [message], "its SSRC is news"
    world.clients[0].reported(5)
    report = rtcp.build_receiver_report(rtcp.ReceiverReport(5, ()))
    for message in messages:
        assert _rtcp_taken(world, message) == []
        in_company = [message + message, report + message, message[:-4], message + b"\0\0\0\0", report]
        bent = [bytes([message[0] ^ 1]) + message[1:], bytes([0xAF]) + message[1:-1] + b"\xff"]
        for other in in_company + bent:
            assert _rtcp_taken(world, other) == [other]
    world.clients[0].close()
    assert _rtcp_taken(world, messages[0]) == messages[:1]


# --- a room, encrypted ---

ROUGH = Conditions(latency_s=0.02, loss=0.03, reorder=0.03, duplicate=0.02, corrupt=0.01)
WAITING = 15
NAMES = ("alice", "bob", "carol")
KINDS = ("camera", "voice")


class Busy(Lab):
    """Some copies of large fan-outs always wait for the next turn."""

    def _turn(self) -> None:
        tick = self.engine.tick
        tick.begin(self.now, self.unix_now)
        while self._port._waiting:
            tick.turn(self._port, self.now, self.unix_now)  # type: ignore[arg-type]
        while self.engine.backlog.copies > WAITING:
            tick.go_on()


def _run(
    up: Conditions, *, relayed: bool, levels: tuple[int, ...] = (0, 0), busy: bool = False
) -> tuple[list[str], int]:
    """What became of a room, and how many packets were forwarded one by one.

    Where nothing may be ``relayed``, that is all of them. ``levels`` are those of overload, one for each part of the
    time.
    """
    lab = Busy(seed=11) if busy else Lab(seed=11)
    forwarder, singly = lab.engine.forwarder, 0
    forward = forwarder.forward

    def count(*packet: Any) -> None:
        nonlocal singly
        singly += 1
        forward(*packet)

    forwarder.forward = count  # type: ignore[method-assign]
    if not relayed:
        forwarder._publish = lambda layer, layout: None  # type: ignore[method-assign]
    clients = [lab.join(name, up=up) for name in NAMES]
    for client, name in zip(clients, NAMES, strict=True):
        transport = TransportCounter()
        voice = StreamConfig(0x99, 111, 48_000, mid="1", first_sequence=65_500, transport=transport)
        client.publish(f"TR_{name}_camera", simulcast(rids=("q", "h"), transport=transport))
        client.publish(f"TR_{name}_voice", AudioSource(voice))
        client.negotiate()
    for client, name in zip(clients, NAMES, strict=True):
        client.watch(*(f"TR_{other}_{kind}" for other in NAMES if other != name for kind in KINDS))
    tick = lab.engine.tick
    lab.run(1)
    clients[0].watch("TR_bob_camera", spatial=0)
    for level in levels:
        tick.overload.sent = lambda refused, now: None  # type: ignore[method-assign]
        tick.overload.level = level
        lab.run(2 / len(levels))
    found: list[object] = [lab.engine.egress.counters.packets, tick.rejected, tick.left_out]
    found += [lab.engine.mux.strangers, tick.shedder.idle]
    for client in clients:
        ingress = lab.engine.transports[client.peer.id].ingress
        found += [ingress.unknown, ingress.ignored, ingress.malformed]
        found += [client.plis, client.nacks, client.receiver_reports, client.transport_feedback]
        for viewer in client.viewers.values():
            assert len(viewer.packets) > 50
            first = min(viewer.packets)  # where numbers begin is left to chance
            found += [
                (number - first, got.payload[8:], got.marker, got.at, got.resent)
                for number, got in viewer.packets.items()
            ]
    for track in lab.engine.context.tracks.values():
        for layer in track.layers:
            found += [layer.last_packet_at, layer.top_temporal, layer.liveness.silence_s]
            found += [layer.clock.first_at, layer.clock.transit_s]
    lab.close()
    return [repr(one) for one in found], singly


@pytest.mark.parametrize("up", [PERFECT, ROUGH], ids=["perfect", "rough"])
async def test_a_room_fares_the_same(up: Conditions, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, few = _run(up, relayed=True)
    counted, all_ = _run(up, relayed=False)
    monkeypatch.setattr("sfu.forwarding.stream_table.StreamTable.expect", lambda *layout: None)
    singly, _ = _run(up, relayed=False)
    assert at_once == counted == singly
    assert few < all_ / (4 if up is PERFECT else 1.2)


@pytest.mark.parametrize("up", [PERFECT, ROUGH], ids=["perfect", "rough"])
async def test_video_is_left_out_in_the_same_way(up: Conditions) -> None:
    levels = (0, 3, 6, 8, 8, 2, 0, 0)
    at_once, few = _run(up, relayed=True, levels=levels)
    singly, all_ = _run(up, relayed=False, levels=levels)
    assert at_once == singly
    assert few < all_
    assert any(int(one) > 100 for one in at_once[2:3])


@pytest.mark.parametrize("piece", [4, 16])
@pytest.mark.parametrize("up", [PERFECT, ROUGH], ids=["perfect", "rough"])
async def test_copies_that_wait_fare_the_same(
    up: Conditions, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfu.forwarding.backlog.WIDE", 1)
    monkeypatch.setattr("sfu.forwarding.backlog.PIECE", piece)
    at_once, few = _run(up, relayed=True, busy=True)
    singly, all_ = _run(up, relayed=False, busy=True)
    assert at_once == singly
    assert few < all_ / (4 if up is PERFECT else 1.2)
