"""Packets taken by column do what they do one by one."""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.forwarding.binding import Binding
from sfu.forwarding.bulk import Arrived, Bulk
from sfu.forwarding.ingress import Ingress
from sfu.forwarding.layout import SourceExtensions
from sfu.forwarding.layout_table import HEAD_BYTES
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.stream_table import StreamTable
from sfu.forwarding.uptrack import Layer
from sfu.rtp.extensions import ExtensionUri
from sfu.rtp.header import FIXED_HEAD
from sfu.streams.arrivals import Arrivals
from sfu.streams.speakers import SpeechSettings
from tests.harness.forwarding import OPUS, RED, audio_track, video_track
from tests.harness.rtp_stream import rtp_header

ROW = 512
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


class World:
    """Clients with a microphone, a muted one that nobody hears, and a camera each."""

    def __init__(self) -> None:
        self.table = StreamTable()
        self.now = 100.0
        self.delivered: list[tuple[object, ...]] = []
        self.started: list[Layer] = []
        speech = SpeechSettings()
        self.arrivals = Arrivals()
        self.clients = [
            Ingress(self, SourceExtensions, speech, self.arrivals, owner, self.table)
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
        self.bulk = Bulk(self.table, speech, self, self.arrivals.put_back, self.clients.__getitem__)

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
            memory = memoryview(packet.ljust(ROW, b"\xff"))
            head = FIXED_HEAD.unpack_from(memory)
            self.clients[owner].receive(memory, 0, len(packet), head, 7_000_000, self.now)

    def at_once(self, batch: list[Sent]) -> None:
        rows = np.full((len(batch), ROW), 0xFF, np.uint8)
        for row, (_, packet) in enumerate(batch):
            rows[row, : len(packet)] = np.frombuffer(packet, np.uint8)
        self.bulk.receive(
            Arrived(
                rows.data.cast("B"),
                np.arange(len(batch)) * ROW,
                rows[:, :HEAD_BYTES].copy(),
                np.array([len(packet) for _, packet in batch]),
                np.array([owner for owner, _ in batch]),
                np.full(len(batch), 7_000_000),
            ),
            self.now,
        )

    def state(self) -> list[object]:
        """Everything that anybody can learn of the streams; some of it can be asked once only."""
        found: list[object] = [len(self.started), self.delivered]
        for ingress in self.clients:
            found += [ingress.unknown, ingress.ignored, ingress.malformed]
            for ssrc, stream in [*ingress.streams.items(), *ingress.repairs.items()]:
                stats = stream.stats
                found += [ssrc, stats.highest, stats.timestamp, stats.jitter, stats.lost, stats.packets]
                found += [stats.duplicates, stats.rejected, stats.recovered, stats.restarts]
                found += [stats.report(self.now)]
            for stream in ingress.streams.values():
                assert stream.nacks is not None
                stream.nacks.follow(stream.stats.highest)
                found += [stream.slot, stream.started, stream.frame_timestamp]
                found += [stream.nacks.due(self.now), stream.nacks.abandoned]
            found += [meter.level(self.now) for meter in ingress.levels.values()]
            levels = self.table.levels
            for meter in ingress.levels.values():
                found += [column[meter.row] for column in (levels.seen, levels.observed, levels.active)]
            keys = [key for key in self.arrivals.keys if key >> 16 == ingress._row]
            found.append(keys)
        for layer in self.layers:
            found += [layer.last_packet_at, layer.live, layer.ssrc, layer.keyframes.waiting]
            found += [layer.clock.transit_s, layer.clock.first_at]
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


@settings(deadline=None)
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

    def never(owner: int) -> Ingress:
        raise AssertionError(f"a packet of {owner}")

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
    world.bulk._ingress_of = never
    before = len(world.delivered)
    for source in sources:
        source.sequence += 1
    world.at_once(plain())
    assert len(world.delivered) == before + 2, "nobody hears the second microphone"


def test_a_row_is_given_back_with_its_stream():
    world = World()
    before = len(world.table.streams)
    for ingress in world.clients:
        for track in {stream.track for stream in ingress.streams.values()}:
            ingress.unbind(track)
    assert (len(world.table.streams), len(world.table.index), before) == (0, 0, 3 * CLIENTS)
    columns = world.table.columns
    assert len(columns._free) == len(columns.highests) - 1


@pytest.mark.parametrize("count", [4, 5])
def test_a_stream_may_have_several_timestamps_in_a_batch(count: int):
    singly, at_once = World(), World()
    source, counter = Source(Random(3), 0, 0), Counter()
    for size in (1, 1, 1, count, 1):
        batch: list[Sent] = [(0, source._next(counter)) for _ in range(size)]
        singly.singly(batch)
        at_once.at_once(batch)
        assert at_once.state() == singly.state()
