"""From a layer's packet to copies on the wire: who gets what, from when on, under which numbers."""

import pytest

from sfu.codecs import vp8
from sfu.compiled.dispatch import TOGETHER
from sfu.compiled.outgoing import ROW_PEER
from sfu.forwarding.arena import SendArena
from sfu.forwarding.backlog import PIECE, Backlog
from sfu.forwarding.downtrack import DownTrack
from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.forwarder import Forwarder, retransmission
from sfu.forwarding.layout import SourceExtensions
from sfu.forwarding.matrix import SRTP_TAG_BYTES, Lane
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.profile import Profile
from sfu.forwarding.reader import Vp8Reader
from sfu.forwarding.rendition import ALL_TEMPORAL
from sfu.forwarding.uptrack import Layer, UpTrack
from sfu.net.peers import PeerTable
from sfu.rtp.extensions import ExtensionUri
from sfu.rtp.header import RtpHeader, parse_header
from tests.harness.forwarding import NO_IDS, extensions, media, subscriber, video_track

SENT_AT = b"\1\2\3"
SMALL, LARGE = 320, 1536


class Bench:
    """A forwarder whose copies can be read."""

    def __init__(self) -> None:
        self.table = DownTrackTable()
        self.sent: list[tuple[int, bytes]] = []
        self.peers = PeerTable()
        self.lanes = [self._lane(SendArena(64, stride)) for stride in (SMALL, LARGE)]
        pieces = [SendArena(PIECE, stride) for stride in (SMALL, LARGE)]
        waiting, asides = ([self._lane(arena) for arena in pieces] for _ in range(2))
        self.backlog = Backlog(waiting, asides, self, lambda: None)
        self.forwarder = Forwarder(self.table, self.lanes, self.backlog, lambda: 1000)
        self.now = 10.0

    def _lane(self, arena: SendArena) -> Lane:
        return Lane(arena, self.table, self.peers, self.send)

    def resume_at(self, arena: SendArena) -> int:
        return -1

    def write_piece(self, lane: Lane, most: int) -> int:
        count = lane.write(most)
        self.send(lane.arena)
        return count

    def send(self, arena: SendArena) -> None:
        for row in range(arena.count):
            self.sent.append((int(arena.rows[row, ROW_PEER]), bytes(arena.packet(row))))
        arena.clear()

    def forward(self, layer: Layer, sequence: int, packet: MediaPacket) -> None:
        layer.clock.observe(packet.timestamp, self.now)
        self.forwarder.forward(layer, sequence, packet, 0x010203, self.now)

    def flush(self) -> list[tuple[int, RtpHeader, bytes]]:
        """Peer, header and payload of each copy since the last time."""
        self.forwarder.expand()
        for lane in self.lanes:
            self.send(lane.arena)
        sent, self.sent = self.sent, []
        found = []
        for peer, data in sent:
            header = parse_header(data, len(data))
            found.append((peer, header, data[header.payload_start : header.payload_end]))
        return found

    def watch(self, track: UpTrack, peer: int, layer: int = 0, temporal: int = ALL_TEMPORAL) -> DownTrack:
        down = subscriber(self.table, track, peer)
        down.aim(track.layers[layer].rendition(temporal=temporal, plain=False))
        return down


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_trap_23_nothing_goes_out_before_the_key_frame(bench: Bench):
    track = video_track()
    bench.watch(track, 1)
    bench.forward(track.layers[0], 10, media(timestamp=1_000))
    assert bench.flush() == []
    bench.forward(track.layers[0], 11, media(timestamp=4_000, keyframe=True))
    bench.forward(track.layers[0], 12, media(timestamp=7_000, marker=True))
    (_, first, _), (_, second, _) = bench.flush()
    assert (first.sequence, second.sequence) == (1001, 1002)
    assert second.timestamp - first.timestamp == 3_000
    assert (first.marker, second.marker) == (False, True)
    assert (first.ssrc, first.payload_type) == (0xD002, 100)


def test_each_subscriber_has_numbers_of_its_own(bench: Bench):
    track = video_track()
    layer = track.layers[0]
    bench.watch(track, 1)
    bench.forward(layer, 10, media(timestamp=1_000, keyframe=True))
    bench.forward(layer, 11, media(timestamp=4_000))
    bench.watch(track, 2)
    bench.forward(layer, 12, media(timestamp=7_000, keyframe=True))
    found = [(peer, header.sequence) for peer, header, _ in bench.flush()]
    assert sorted(found) == [(1, 1001), (1, 1002), (1, 1003), (2, 1001)]


def test_a_packet_goes_out_once_when_the_filter_changes_at_it(bench: Bench):
    track = video_track()
    layer = track.layers[0]
    down = bench.watch(track, 1)
    bench.forward(layer, 10, media(timestamp=1_000, keyframe=True))
    bench.forward(layer, 11, media(timestamp=2_000, temporal=2, picture_start=True))
    down.aim(layer.rendition(temporal=0, plain=False))
    bench.forward(layer, 12, media(timestamp=3_000, temporal=1, picture_start=True))
    bench.forward(layer, 13, media(timestamp=4_000, picture_start=True))
    bench.forward(layer, 14, media(timestamp=5_000, temporal=2, picture_start=True))
    bench.forward(layer, 15, media(timestamp=6_000, picture_start=True))
    found = [(header.sequence, header.timestamp - 1_000) for _, header, _ in bench.flush()]
    assert found == [(1001 + n, at) for n, at in enumerate((0, 1_000, 2_000, 3_000, 5_000))]


def test_more_frames_begin_where_all_that_follows_can_be_decoded(bench: Bench):
    track = video_track()
    layer = track.layers[0]
    layer.top_temporal = 2
    down = bench.watch(track, 1, temporal=0)
    bench.forward(layer, 10, media(timestamp=1_000, keyframe=True))
    down.aim(layer.rendition(temporal=2, plain=False))
    pattern = [(1, True), (2, False), (0, False), (2, True), (1, True), (2, False)]
    for n, (temporal, sync) in enumerate(pattern):
        packet = media(timestamp=2_000 + 1_000 * n, temporal=temporal, picture_start=True, layer_sync=sync)
        bench.forward(layer, 11 + n, packet)
    found = [header.timestamp - 1_000 + 1_000 for _, header, _ in bench.flush()]
    assert found == [1_000, 4_000, 5_000, 6_000, 7_000]


def test_a_late_packet_from_before_the_switch_is_not_forwarded_to_who_switched(bench: Bench):
    track = video_track()
    layer = track.layers[0]
    bench.watch(track, 1)
    bench.forward(layer, 10, media(timestamp=1_000, keyframe=True))
    bench.watch(track, 2)
    bench.forward(layer, 12, media(timestamp=7_000, keyframe=True))
    bench.flush()
    bench.forward(layer, 11, media(timestamp=4_000))
    found = [(peer, header.sequence) for peer, header, _ in bench.flush()]
    assert found == [(1, 1002)]


def test_packets_before_a_switch_keep_the_old_numbers(bench: Bench):
    track = video_track(layers=2)
    low, high = track.layers
    down = bench.watch(track, 1)
    high.clock.observe(0, 8.0)
    bench.forward(low, 10, media(timestamp=1_000, keyframe=True))
    bench.forward(low, 11, media(timestamp=4_000))
    down.aim(high.rendition(temporal=ALL_TEMPORAL, plain=False))
    bench.forward(high, 500, media(timestamp=200_000, keyframe=True))
    bench.forward(high, 501, media(timestamp=203_000))
    bench.forward(low, 12, media(timestamp=7_000))
    assert [header.sequence for _, header, _ in bench.flush()] == [1001, 1002, 1003, 1004]


def test_small_and_large_packets_take_their_own_lanes(bench: Bench):
    track = video_track()
    layer = track.layers[0]
    bench.watch(track, 1)
    bench.forward(layer, 10, media(keyframe=True))
    bench.forward(layer, 11, media(payload=b"x" * 1100))
    bench.forwarder.expand()
    assert [lane.arena.count for lane in bench.lanes] == [1, 1]
    bench.forward(layer, 12, media(payload=b"x" * (LARGE - SRTP_TAG_BYTES - 12)))
    assert bench.forwarder.oversized == 0
    bench.forward(layer, 13, media(payload=b"x" * (LARGE - SRTP_TAG_BYTES - 11)))
    assert bench.forwarder.oversized == 1


def test_trap_22_extensions_follow_each_subscribers_numbering(bench: Bench):
    track = video_track()
    down = bench.watch(track, 1)
    down.profile = Profile({ExtensionUri.VIDEO_ORIENTATION: 6})
    source = SourceExtensions({2: ExtensionUri.VIDEO_ORIENTATION})
    layout, block = extensions(source, [(2, b"\x01")])
    packet = media(keyframe=True, layout=layout, block=block)
    bench.forward(track.layers[0], 10, packet)
    bench.forwarder.expand()
    data = bytes(bench.lanes[0].arena.packet(0))
    assert data[12:18] == b"\xbe\xde\x00\x01\x60\x01"


class TestRetransmission:
    def packet(self, bench: Bench, track: UpTrack) -> tuple[DownTrack, bytes, RtpHeader]:
        """A VP8 packet as it went out the first time."""
        down = bench.watch(track, 1)
        down.profile = Profile({ExtensionUri.ABS_SEND_TIME: 3})
        reader = Vp8Reader()
        payload = bytes([0x90, 0xE0, 0x85, 0x10, 0x22, 0x00]) + b"\x00rest"
        packet = reader.read(payload, 1 << 32, 0x80, 0, NO_IDS.none, 0)
        bench.forward(track.layers[0], 70_000, packet)
        ((_, header, sent),) = bench.flush()
        return down, sent, header

    def test_repeats_the_payload_under_the_number_that_was_lost(self, bench: Bench):
        down, sent, header = self.packet(bench, video_track())
        found = down.find(header.sequence)
        assert found is not None
        data = retransmission(down, *found, SENT_AT)
        rtx = parse_header(data, len(data))
        assert (rtx.ssrc, rtx.payload_type) == (down.rtx_ssrc, 101)
        assert (rtx.timestamp, rtx.marker) == (header.timestamp, True)
        assert data[rtx.payload_start :] == header.sequence.to_bytes(2, "big") + sent
        descriptor = vp8.parse(sent)
        assert descriptor is not None
        assert descriptor.picture_id == 1001

    def test_counts_on_by_itself(self, bench: Bench):
        down, _, header = self.packet(bench, video_track())
        found = down.find(header.sequence)
        assert found is not None
        numbers = []
        for _ in range(3):
            data = retransmission(down, *found, SENT_AT)
            numbers.append(parse_header(data, len(data)).sequence)
        assert numbers == [1, 2, 3]


def test_a_small_packet_does_not_overtake_the_large_one_before_it(bench: Bench):
    track = video_track()
    bench.watch(track, 1)
    bench.forward(track.layers[0], 10, media(keyframe=True)._replace(payload=b"x" * 1000))
    bench.forward(track.layers[0], 11, media()._replace(payload=b"x" * 10))
    assert [len(payload) for _, _, payload in bench.flush()] == [1000, 10]


@pytest.mark.parametrize("together", [False, True])
def test_few_copies_of_all_sizes_go_together_in_the_order_of_their_streams(bench: Bench, together: bool):
    small, large = b"s" * 100, b"l" * 1000
    cameras = [video_track() for _ in range(2)]
    for peer, track in enumerate(cameras):
        bench.watch(track, peer)
        bench.forward(track.layers[0], 1, media(keyframe=True))
    bench.flush()
    bench.forward(cameras[0].layers[0], 2, media(payload=small))
    bench.forward(cameras[0].layers[0], 3, media(payload=large))
    bench.forward(cameras[1].layers[0], 2, media(payload=small))
    if together:
        bench.forwarder.gather()
    bench.forwarder.expand()
    assert [lane.arena.count for lane in bench.lanes] == ([0, 3] if together else [2, 1])
    found = [(peer, header.sequence, payload) for peer, header, payload in bench.flush()]
    assert sorted(found) == [(0, 1002, small), (0, 1003, large), (1, 1002, small)]
    assert [number for peer, number, _ in found if not peer] == [1002, 1003]


def test_many_copies_go_by_size(bench: Bench):
    sound, camera = video_track(), video_track()
    for peer in range(TOGETHER):
        bench.watch(sound, peer)
    bench.watch(camera, 0)
    for track in (sound, camera):
        bench.forward(track.layers[0], 1, media(keyframe=True))
    bench.flush()
    bench.forward(camera.layers[0], 2, media(payload=bytes(1000)))
    bench.forward(sound.layers[0], 2, media(payload=bytes(100)))
    bench.forwarder.gather()
    bench.forwarder.expand()
    assert [lane.arena.count for lane in bench.lanes] == [TOGETHER, 1]
