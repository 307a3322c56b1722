"""Copies that wait: in what order they leave, what they wait for, and that nothing changes under them."""

import pytest

from sfu.compiled.outgoing import ROW_PEER
from sfu.forwarding import backlog as module
from sfu.forwarding import matrix
from sfu.forwarding.arena import SendArena
from sfu.forwarding.backlog import Backlog
from sfu.forwarding.downtrack import DownTrack
from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.forwarder import Forwarder
from sfu.forwarding.matrix import Lane
from sfu.forwarding.uptrack import UpTrack
from sfu.net.peers import PeerTable
from tests.harness.forwarding import media, subscriber, video_track

WIDE, PIECE = 4, 6
MANY = 10

Sent = list[tuple[int, bytes]]


class World:
    """A forwarder and its backlog; who is sent what is written down in the order of sending."""

    def __init__(self) -> None:
        self.table = DownTrackTable()
        self.peers = PeerTable(256)
        self.sent: Sent = []
        self.pieces: list[int] = []
        self.woken = 0
        self.first_peer = -1
        self.lanes = [self._lane(SendArena(64, stride)) for stride in (320, 1536)]
        pieces = [SendArena(PIECE, stride, piecewise=True) for stride in (320, 1536)]
        waiting, asides = ([self._lane(arena) for arena in pieces] for _ in range(2))
        self.backlog = Backlog(waiting, asides, self, self._wake)
        self.table.settle, self.table.forget = self.backlog.settle, self.backlog.forget
        self.forwarder = Forwarder(self.table, self.lanes, self.backlog, lambda: 1000)
        self.sequence = 100

    def _lane(self, arena: SendArena) -> Lane:
        return Lane(arena, self.table, self.peers, self.send)

    def _wake(self) -> None:
        self.woken += 1

    def resume_at(self, arena: SendArena) -> int:
        return self.first_peer

    def write_piece(self, lane: Lane, most: int) -> int:
        count = lane.write(most)
        self.send(lane.arena)
        return count

    def send(self, arena: SendArena) -> None:
        for row in range(arena.count):
            self.sent.append((int(arena.rows[row, ROW_PEER]), bytes(arena.packet(row))))
        if arena.count and arena.piecewise:
            self.pieces.append(arena.count)
        arena.clear()

    def room(self, peers: range) -> tuple[UpTrack, list[DownTrack]]:
        """A camera, and who watches it from its next packet on."""
        track = video_track()
        downs = [self.watch(track, peer) for peer in peers]
        self.film(track, keyframe=True)
        self.turn()
        self.settle()
        self.sent.clear()
        self.pieces.clear()
        return track, downs

    def watch(self, track: UpTrack, peer: int) -> DownTrack:
        down = subscriber(self.table, track, peer)
        down.aim(track.layers[0].rendition(temporal=7, plain=False))
        return down

    def film(self, track: UpTrack, payload: bytes = b"", *, size: int = 400, keyframe: bool = False) -> bytes:
        """The camera sends a packet; returns its payload."""
        self.sequence += 1
        payload = payload or self.sequence.to_bytes(4, "big")
        payload += bytes(size - len(payload))
        layer = track.layers[0]
        packet = media(payload=payload, timestamp=self.sequence * 3000, keyframe=keyframe)
        layer.clock.observe(packet.timestamp, 1.0)
        self.forwarder.forward(layer, self.sequence, packet, 0x010203, 1.0)
        return payload

    def turn(self) -> None:
        """The end of a tick."""
        self.forwarder.expand()
        for lane in self.lanes:
            self.send(lane.arena)

    def settle(self) -> None:
        while self.backlog.copies:
            self.backlog.step()

    def to(self, peer: int) -> list[bytes]:
        """Payloads that a peer was sent."""
        return [data[12:] for to, data in self.sent if to == peer]

    def numbers(self, peer: int) -> list[int]:
        """Sequence numbers that a peer was sent."""
        return [int.from_bytes(data[2:4], "big") for to, data in self.sent if to == peer]


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WIDE", WIDE)
    monkeypatch.setattr(module, "PIECE", PIECE)


@pytest.fixture
def world() -> World:
    return World()


def test_a_small_rooms_packet_goes_before_the_rest_of_a_large_fan_out(world: World):
    large, _ = world.room(range(MANY))
    small, _ = world.room(range(20, 22))
    world.film(large)
    world.turn()
    assert (world.sent, world.woken) == ([], 2), "the key frame, and this"
    world.backlog.step()
    assert 0 < len(world.sent) <= PIECE
    said = world.film(small)
    world.turn()
    assert world.to(20) == world.to(21) == [said]
    assert 0 < sum(to < MANY for to, _ in world.sent) < MANY
    world.settle()
    assert sorted(to for to, _ in world.sent) == [*range(MANY), 20, 21]


def test_packets_of_a_stream_stay_in_order(world: World):
    large, downs = world.room(range(MANY))
    payloads = []
    for _ in range(7):
        payloads += [world.film(large) for _ in range(3)]
        world.turn()
        world.backlog.step()
    world.settle()
    first = world.numbers(0)[0]
    for down in downs:
        assert world.to(down.peer) == payloads
        assert world.numbers(down.peer) == list(range(first, first + len(payloads)))


def test_a_stream_of_which_some_wait_waits_when_it_is_no_longer_wide(world: World):
    large, downs = world.room(range(WIDE + 1))
    before = world.film(large)
    world.turn()
    rendition = large.layers[0].renditions[0]
    downs[-1].stop()
    assert len(rendition.members) == WIDE
    after = world.film(large)
    world.turn()
    assert world.sent == []
    world.settle()
    assert world.to(0) == [before, after]
    world.sent.clear()
    last = world.film(large)
    world.turn()
    assert world.to(0) == [last], "nothing waits any more: at once"


def test_a_switch_waits_for_what_goes_out_under_the_old_offsets(world: World):
    large, downs = world.room(range(MANY))
    before = world.film(large)
    world.turn()
    downs[3].aim(large.layers[0].rendition(temporal=0, plain=False))
    after = world.film(large, keyframe=True)
    assert world.to(3) == [before], "sent before its offsets changed"
    world.turn()
    assert world.to(3) == [before, after]
    first, second = world.numbers(3)
    assert second == first + 1


@pytest.mark.parametrize("begun", [False, True])
def test_who_switches_is_sent_what_waits_and_nobody_else(world: World, begun: bool):
    """A piece may have gone already, some copies be in the middle of it, and others come behind it."""
    large, downs = world.room(range(MANY))
    payloads = [world.film(large) for _ in range(2)]
    if begun:
        world.backlog.step()
    payloads += [world.film(large, size=size) for size in (200, 800)]
    world.turn()
    last = downs[-1]
    before = {peer: len(world.to(peer)) for peer in range(MANY)}
    last.aim(large.layers[0].rendition(temporal=0, plain=False))
    payloads.append(world.film(large, keyframe=True))
    assert world.to(last.peer) == payloads[:-1], "sent before its offsets changed"
    assert all(len(world.to(peer)) == before[peer] for peer in range(MANY - 1)), "the others wait"
    world.turn()
    world.settle()
    for down in downs:
        assert world.to(down.peer) == payloads
        first = world.numbers(down.peer)[0]
        assert world.numbers(down.peer) == list(range(first, first + len(payloads)))


def test_more_waits_for_one_than_a_piece_holds(world: World):
    large, downs = world.room(range(MANY))
    payloads = [world.film(large) for _ in range(3 * PIECE + 1)]
    downs[2].aim(large.layers[0].rendition(temporal=0, plain=False))
    world.film(large, keyframe=True)
    assert world.to(2) == payloads


def test_when_many_switch_at_once_all_that_waits_is_sent(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "FEW_ROWS", 3)
    large, downs = world.room(range(MANY))
    payloads = [world.film(large)]
    for down in downs[:4]:
        down.aim(large.layers[0].rendition(temporal=0, plain=False))
    payloads.append(world.film(large, keyframe=True))
    assert len(world.sent) == MANY
    world.turn()
    world.settle()
    assert all(world.to(peer) == payloads for peer in range(MANY))
    for down in downs[4:]:
        down.aim(large.layers[0].rendition(temporal=0, plain=False))
        world.film(large)
        world.backlog.step()
        world.film(large, keyframe=True)
        assert world.backlog.copies, "one at a time"


@pytest.mark.parametrize("begun", [False, True])
def test_a_row_is_not_used_again_under_copies_that_wait(world: World, begun: bool):
    large, downs = world.room(range(MANY))
    world.film(large)
    world.turn()
    if begun:
        world.backlog.step()
    sent = len(world.sent)
    downs[-1].release()
    assert world.backlog.copies == MANY - 1 - sent
    other = world.watch(large, 200)
    assert other.row == downs[-1].row
    world.settle()
    assert sorted(to for to, _ in world.sent) == list(range(MANY - 1))


def test_nothing_waits_when_all_have_left(world: World):
    large, downs = world.room(range(MANY))
    small, _ = world.room(range(20, 22))
    for _ in range(3):
        world.film(large)
    world.backlog.step()
    world.film(large)
    for down in downs:
        down.release()
    assert world.backlog.copies == 0
    assert not world.backlog.gathers
    said = world.film(small)
    world.turn()
    assert world.to(20) == [said]
    others, _ = world.room(range(30, 30 + MANY))
    world.film(others)
    world.settle()
    assert len(world.sent) == MANY


def test_who_has_nothing_waiting_holds_nobody_up(world: World):
    large, _ = world.room(range(MANY))
    small, downs = world.room(range(20, 22))
    world.film(large)
    world.turn()
    world.watch(large, 30).release()
    downs[0].release()
    world.watch(small, 31)
    world.film(small, keyframe=True)
    world.turn()
    assert world.backlog.copies == MANY


def test_columns_change_by_methods_only():
    table = DownTrackTable()
    row = table.allocate(1, 2)
    for column in (table.payload_type, table.sequence_offset, table.peer, table.since):
        with pytest.raises(ValueError, match="read-only"):
            column[row] = 1


def test_small_packets_go_before_larger_ones(world: World):
    camera, _ = world.room(range(MANY))
    microphone, _ = world.room(range(50, 50 + MANY))
    microphone.layers[0].renditions[0].lane = 0
    world.film(camera)
    world.turn()
    world.backlog.step()
    world.film(microphone, b"sound", size=100)
    world.turn()
    begun = len(world.sent)
    world.settle()
    assert all(to >= 50 for to, _ in world.sent[begun : begun + MANY])
    assert all(to < 50 for to, _ in world.sent[begun + MANY :])


def test_pieces_are_of_about_one_size_and_end_with_a_destination(world: World):
    large, _ = world.room(range(MANY))
    for _ in range(2):
        world.film(large)
    world.settle()
    assert world.pieces == [4, 6, 4, 6]
    assert [to for to, _ in world.sent] == [to for to in range(MANY) for _ in range(2)]


def test_a_destination_with_more_copies_than_a_piece_is_cut(world: World):
    large, _ = world.room(range(MANY))
    payloads = [world.film(large) for _ in range(2 * PIECE + 1)]
    world.settle()
    assert max(world.pieces) <= PIECE
    assert all(world.to(peer) == payloads for peer in range(MANY))


def test_it_begins_where_it_was_broken_off(world: World):
    large, _ = world.room(range(MANY))
    world.first_peer = 7
    world.film(large)
    world.settle()
    assert [to for to, _ in world.sent] == [7, 8, 9, 0, 1, 2, 3, 4, 5, 6]


def test_it_is_full_when_enough_waits(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_COPIES", 2 * MANY)
    large, _ = world.room(range(MANY))
    world.film(large)
    assert not world.backlog.full
    world.film(large)
    assert world.backlog.full
    world.backlog.step()
    assert not world.backlog.full
    monkeypatch.setattr(module, "MOST_PACKETS", 1)
    assert not world.backlog.full, "what is being sent does not count"
    world.film(large)
    assert world.backlog.full


def test_more_packets_than_there_are_templates_keep_their_order(world: World):
    large, _ = world.room(range(WIDE + 1))
    payloads = [world.film(large) for _ in range(matrix.TEMPLATES + 5)]
    world.settle()
    assert world.to(0) == payloads


def test_order_stays_when_others_come_and_go(world: World):
    large, downs = world.room(range(MANY))
    world.film(large)
    world.backlog.step()
    before = world.film(large, size=400)
    downs[-1].stop()
    after = world.film(large, size=900)
    world.settle()
    assert world.to(0)[1:] == [before, after], "larger packets go first only where there is no order"
    assert world.to(MANY - 1)[1:] == [before]


def test_a_piece_is_no_larger_than_it_may_be(world: World):
    large, _ = world.room(range(MANY))
    world.film(large)
    assert world.backlog.step(2) == 2
    assert world.backlog.step(100 * PIECE) <= PIECE
    world.settle()
    assert world.backlog.step(2) == 0
    assert sorted(to for to, _ in world.sent) == list(range(MANY))
