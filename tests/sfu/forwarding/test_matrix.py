"""The matrix against slow ways of writing one copy after the other."""

import gc
import random
import struct

import numpy as np
import pytest

from sfu.compiled.outgoing import ROW_PEER
from sfu.forwarding.arena import SendArena
from sfu.forwarding.downtracks import UNSUPPORTED, DownTrackTable
from sfu.forwarding.fan import Fan, fan_of
from sfu.forwarding.matrix import TEMPLATES, Lane
from sfu.forwarding.packet import MediaPacket
from sfu.net.peers import PeerTable
from tests.harness.forwarding import media

HEADER = b"\x90" + bytes(11) + b"\xbe\xde\x00\x01" + b"\x31\x00\x00\x00"
TWCC_AT = 17
STRIDE = 256
OFFSETS = ("sequence_offset", "timestamp_offset", "picture_offset", "tl0_offset", "key_index_offset")


class Harness:
    def __init__(self, capacity: int = 512, *, pad: bool = False) -> None:
        self.table = DownTrackTable(capacity=4)
        self.peers = PeerTable()
        self.peers.twcc[:] = 1
        self.sent: list[tuple[int, bytes]] = []
        self.lane = Lane(SendArena(capacity, STRIDE), self.table, self.peers, self.drain, pad=pad)

    def drain(self, arena: SendArena) -> None:
        for row in range(arena.count):
            self.sent.append((int(arena.rows[row, ROW_PEER]), bytes(arena.packet(row))))
        arena.clear()

    def add(self, header: bytes, twcc_at: int, number: int, packet: MediaPacket, fan: Fan) -> None:
        """As a packet of one stream for each fan-out."""
        self.lane.add(header, twcc_at, number, packet, fan, fan.address)

    def flush(self) -> list[tuple[int, bytes]]:
        self.lane.expand()
        self.drain(self.lane.arena)
        sent, self.sent = self.sent, []
        return sent

    def down(self, peer: int, *, payload_type: int = 96, **offsets: int) -> int:
        row = self.table.allocate(peer, 1000 + peer)
        self.table.set_payload_types(row, (payload_type, UNSUPPORTED))
        self.table.set_offsets(row, [offsets.pop(name, 0) for name in OFFSETS], 0)
        assert not offsets
        return row


def rows(*numbers: int) -> Fan:
    return fan_of(np.array(numbers, np.int32))


def test_each_copy_gets_its_own_numbers():
    harness = Harness()
    one = harness.down(1, payload_type=96, sequence_offset=10, timestamp_offset=100)
    two = harness.down(2, payload_type=111, sequence_offset=-5, timestamp_offset=-7)
    packet = media(payload=b"payload", timestamp=2**32 + 50, marker=True)
    harness.add(HEADER, TWCC_AT, 65_540, packet, rows(one, two))
    (peer, first), (_, second) = harness.flush()
    assert peer == 1
    assert struct.unpack_from("!BBHII", first) == (0x90, 0x80 | 96, 65_530, 2**32 - 50, 1001)
    assert struct.unpack_from("!BBHII", second) == (0x90, 0x80 | 111, 9, 57, 1002)
    assert first.endswith(b"payload")
    assert first[TWCC_AT : TWCC_AT + 2] == second[TWCC_AT : TWCC_AT + 2] == b"\x00\x01"


def test_transport_wide_numbers_run_in_the_order_of_sending():
    harness = Harness()
    audio, video = harness.down(3), harness.down(3)
    other = harness.down(1)
    for sequence in range(5):
        harness.add(HEADER, TWCC_AT, sequence, media(payload=b"v"), rows(video, other))
        harness.add(HEADER, 0, sequence, media(payload=b"a"), rows(audio))
    sent = harness.flush()
    numbers = {1: [], 3: []}
    for peer, packet in sent:
        if packet.endswith(b"v"):
            numbers[peer].append(int.from_bytes(packet[TWCC_AT : TWCC_AT + 2], "big"))
        else:
            assert packet[TWCC_AT : TWCC_AT + 2] == b"\0\0"
    assert numbers == {1: [1, 2, 3, 4, 5], 3: [1, 2, 3, 4, 5]}
    assert [peer for peer, _ in sent] == sorted(peer for peer, _ in sent)
    assert harness.peers.twcc[3] == 6


def test_vp8_ids_are_rewritten_where_they_are():
    harness = Harness()
    down = harness.down(1, picture_offset=3, tl0_offset=2, key_index_offset=1)
    payload = bytes([0x90, 0xE0, 0x80, 0x10, 0x20, 0x65, 0xAA])
    ids = {"picture": 0x8010, "picture_at": 2, "tl0": 0x120, "tl0_at": 4, "key_index": 5, "key_index_at": 5}
    harness.add(HEADER, TWCC_AT, 1, media(payload=payload, **ids), rows(down))
    harness.add(HEADER, TWCC_AT, 2, media(payload=payload), rows(down))
    (_, rewritten), (_, untouched) = harness.flush()
    assert rewritten[len(HEADER) :] == bytes([0x90, 0xE0, 0x80, 0x0D, 0x1E, 0x64, 0xAA])
    assert untouched[len(HEADER) :] == payload


@pytest.mark.parametrize("capacity", [3, 1000])
def test_it_agrees_with_a_plain_loop(capacity: int):
    random_ = random.Random(1)
    harness = Harness(capacity)
    downs = [
        harness.down(
            random_.randrange(60),
            payload_type=random_.randrange(96, 127),
            sequence_offset=random_.randrange(-70_000, 70_000),
            timestamp_offset=random_.randrange(-(2**33), 2**33),
        )
        for _ in range(60)
    ]
    expected: dict[int, list[bytes]] = {}
    table = harness.table
    for _ in range(700):
        sequence, timestamp = random_.randrange(2**20), random_.randrange(2**34)
        payload = random_.randbytes(random_.randrange(1, 200))
        chosen = random_.sample(downs, random_.randrange(1, 8))
        harness.add(HEADER, 0, sequence, media(payload=payload, timestamp=timestamp), rows(*chosen))
        for row in chosen:
            header = struct.pack(
                "!BBHII",
                0x90,
                table.payload_type[row, 0],
                (sequence - int(table.sequence_offset[row])) & 0xFFFF,
                (timestamp - int(table.timestamp_offset[row])) & 0xFFFFFFFF,
                int(table.ssrc[row]),
            )
            expected.setdefault(int(table.peer[row]), []).append(header + HEADER[12:] + payload)
    got: dict[int, list[bytes]] = {}
    for peer, packet in harness.flush():
        got.setdefault(peer, []).append(packet)
    assert {peer: sorted(packets) for peer, packets in got.items()} == {
        peer: sorted(packets) for peer, packets in expected.items()
    }


@pytest.mark.parametrize("capacity", [5, 1000])
def test_it_agrees_with_a_slow_way_of_writing_all_fields(capacity: int):
    random_ = random.Random(2)
    harness, slow = Harness(capacity), Slow()
    for peer in random_.choices(range(20), k=60):
        offsets = {name: random_.randrange(-(2**20), 2**20) for name in OFFSETS}
        harness.table.set_payload_types(harness.down(peer, **offsets), (96, 63))
    fans = [_fanout(random_, harness.table) for _ in range(10)]
    for _ in range(100):
        added = []
        for _ in range(random_.choice((1, 2, 20))):
            twcc_at, number = random_.choice((TWCC_AT, TWCC_AT, 0)), random_.randrange(2**20)
            added.append((HEADER, twcc_at, number, _any_packet(random_), random_.choice(fans)))
        for one in added:
            harness.add(*one)
        assert harness.flush() == slow.copies(harness.table, added)
    assert harness.peers.twcc[:20].tolist() == [slow.counters[peer] for peer in range(20)]


Added = tuple[bytes, int, int, MediaPacket, Fan]


class Slow:
    """Writes copies field by field; each packet is a stream of its own or has the time of what went before it."""

    def __init__(self) -> None:
        self.counters = dict.fromkeys(range(64), 1)

    def copies(self, table: DownTrackTable, added: list[Added]) -> list[tuple[int, bytes]]:
        pairs = []
        for one in self._arranged(added):
            pairs += [(int(table.peer[down]), down, one) for down in one[4].rows.tolist()]
        pairs.sort(key=lambda pair: pair[0])
        return [(peer, self._copy(table.matrix[down].tolist(), peer, one)) for peer, down, one in pairs]

    def _arranged(self, added: list[Added]) -> list[Added]:
        frames: list[list[Added]] = []
        turns: list[int] = []
        for one in added:
            mine = [frame for frame in frames if frame[0][4] is one[4]]
            if mine and mine[-1][0][3].timestamp == one[3].timestamp:
                mine[-1].append(one)
            else:
                frames.append([one])
                turns.append(len(mine))
        order = sorted(range(len(frames)), key=lambda n: (turns[n], -len(frames[n][0][3].payload)))
        return [one for n in order for one in frames[n]]

    def _copy(self, theirs: list[int], peer: int, one: Added) -> bytes:
        header, twcc_at, number, packet, _ = one
        first = header[0], packet.marker | theirs[6 + packet.slot], (number - theirs[0]) & 0xFFFF
        out = bytearray(header + packet.payload)
        struct.pack_into("!BBHII", out, 0, *first, (packet.timestamp - theirs[1]) & 0xFFFFFFFF, theirs[5])
        if twcc_at:
            struct.pack_into("!H", out, twcc_at, self.counters[peer] & 0xFFFF)
            self.counters[peer] += 1
        if packet.picture >= 0:
            at = len(header)
            picture = (packet.picture - theirs[2]) & 0x7FFF
            struct.pack_into("!H", out, at + packet.picture_at, 0x8000 | picture)
            if packet.tl0_at:
                out[at + packet.tl0_at] = (packet.tl0 - theirs[3]) & 0xFF
            if packet.key_index_at:
                before = out[at + packet.key_index_at] & 0xE0
                out[at + packet.key_index_at] = before | (packet.key_index - theirs[4]) & 0x1F
        return bytes(out)


def _fanout(random_: random.Random, table: DownTrackTable) -> Fan:
    """Some down tracks of different destinations, by destination."""
    chosen = random_.sample(range(60), random_.choice((1, 1, 2, 9)))
    by_peer = {int(table.peer[row]): row for row in chosen}
    return rows(*(by_peer[peer] for peer in sorted(by_peer)))


def _any_packet(random_: random.Random) -> MediaPacket:
    payload = random_.randbytes(random_.choice((8, 150, 151, 153, 180)))
    ids: dict[str, int] = {}
    if random_.random() < 0.5:
        ids = {"picture": random_.randrange(2**20), "picture_at": 2}
        ids |= {"tl0": random_.randrange(2**20), "tl0_at": random_.choice((0, 4))}
        ids |= {"key_index": random_.randrange(32), "key_index_at": random_.choice((0, 5))}
    timestamp, marker = random_.choice((7, 7, 2**33)), random_.random() < 0.5
    return media(payload=payload, timestamp=timestamp, marker=marker, slot=random_.randrange(2), **ids)


def test_packets_of_a_frame_are_padded_to_equal_size():
    harness = Harness(pad=True)
    downs = rows(harness.down(1), harness.down(2))
    for sequence, size in enumerate((150, 150, 152)):
        payload = bytes([sequence + 1]) * size
        harness.add(HEADER, TWCC_AT, sequence, media(payload=payload, timestamp=7), downs)
    harness.add(HEADER, TWCC_AT, 3, media(payload=b"\x09" * 100, timestamp=8), downs)  # the next frame
    sent = [packet for peer, packet in harness.flush() if peer == 2]
    head = len(HEADER)
    assert [packet[0] & 0x20 for packet in sent] == [0x20, 0x20, 0, 0]
    assert [packet[head:] for packet in sent] == [
        b"\x01" * 150 + b"\0\x02",
        b"\x02" * 150 + b"\0\x02",
        b"\x03" * 152,
        b"\x09" * 100,
    ]
    harness.add(HEADER, TWCC_AT, 4, media(payload=b"\x0a" * 160, timestamp=9), downs)
    (_, again), _ = harness.flush()
    assert (again[0], again[head:]) == (0x90, b"\x0a" * 160)


def test_more_packets_than_there_are_templates_are_written_in_between():
    harness = Harness()
    down = rows(harness.down(1))
    for number in range(TEMPLATES + 2):
        harness.add(HEADER, 0, number, media(timestamp=number), down)
    assert harness.lane.arena.count == TEMPLATES
    assert [struct.unpack_from("!H", data, 2)[0] for _, data in harness.flush()] == [*range(TEMPLATES + 2)]


def test_a_payload_in_memory_that_is_used_again():
    harness = Harness()
    memory = bytearray(b"payload")
    harness.add(HEADER, 0, 1, media(payload=memoryview(memory)[:4]), rows(harness.down(1)))
    memory[:] = b"another"
    ((_, data),) = harness.flush()
    assert data[len(HEADER) :] == b"payl"


def test_fan_outs_may_go_once_packets_are_added():
    harness = Harness()
    downs = [harness.down(peer) for peer in range(1, 40)]
    for number in range(30):
        harness.add(HEADER, 0, number, media(timestamp=number), rows(*downs))
    gc.collect()
    assert [peer for peer, _ in harness.flush()] == [peer for peer in range(1, 40) for _ in range(30)]


def test_nothing_collected_sends_nothing():
    assert Harness().flush() == []
