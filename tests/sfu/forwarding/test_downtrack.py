"""A down track's numbers: where they begin, how they go on across switches, and what a NACK finds."""

import pytest

from sfu.forwarding.downtrack import SWITCHES, DownTrack
from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.rendition import ALL_TEMPORAL, Rendition
from sfu.forwarding.uptrack import UpTrack
from tests.harness.forwarding import media, subscriber, video_track

SEED = 0x1234_5678


@pytest.fixture
def table() -> DownTrackTable:
    return DownTrackTable()


def rendition(track: UpTrack, layer: int = 0, temporal: int = ALL_TEMPORAL) -> Rendition:
    return track.layers[layer].rendition(temporal=temporal, plain=False)


def key(timestamp: int, **more: int) -> MediaPacket:
    return media(timestamp=timestamp, keyframe=True, **more)


def feed(down: DownTrack, source: int, packet: MediaPacket, now: float = 10.0) -> bool:
    """Start the down track and let all renditions of the layer take the packet, as the forwarder does."""
    assert down.target is not None
    layer = down.target.layer
    layer.clock.observe(packet.timestamp, now)
    started = down.start(source, packet, now, SEED)
    for one in layer.renditions:
        one.take(source, packet)
    return started


def test_it_begins_at_a_small_number_and_a_random_time(table: DownTrackTable):
    down = subscriber(table, video_track())
    down.aim(rendition(down.track))
    assert down.last_out().sequence == 0
    assert feed(down, 70_000, key(5_000_000, picture=900, picture_at=2, tl0=77, tl0_at=4))
    last = down.last_out()
    assert last.sequence == 1 + (SEED & 0x7FFF)
    assert last.sequence < 1 << 15, "the receiver must not think that it wrapped"
    assert (last.timestamp, last.picture, last.tl0) == (SEED, 1 + (SEED & 0x7FFF), 1 + (SEED & 0xFF))
    row = down.row
    assert 70_000 - table.sequence_offset[row] == last.sequence
    assert 5_000_000 - table.timestamp_offset[row] == last.timestamp
    assert 900 - table.picture_offset[row] == last.picture
    assert 77 - table.tl0_offset[row] == last.tl0
    assert table.since[row] == 70_000


def test_another_layer_goes_on_where_the_first_ended(table: DownTrackTable):
    track = video_track(layers=2)
    down = subscriber(table, track)
    low, high = rendition(track, 0), rendition(track, 1)
    down.aim(low)
    feed(down, 500, key(9_000, picture=10, picture_at=2), now=10.0)
    low.take(501, media(timestamp=12_000, picture=11, picture_at=2))
    before = down.last_out()
    down.aim(high)
    assert down.rendition is low, "the old one stays until the switch"
    assert down in high.waiting
    track.layers[1].clock.observe(1_000_000, 8.5)  # the layer has run for a while
    assert feed(down, 90_000, key(1_135_000, picture=4_000, picture_at=2), now=10.1)
    after = down.last_out()
    assert after.sequence == before.sequence + 1
    assert after.picture == before.picture + 1
    assert after.timestamp > before.timestamp
    assert down not in low.members
    assert down in high.members
    assert down not in high.waiting


def test_a_layer_whose_clock_is_unknown_is_not_switched_to(table: DownTrackTable):
    track = video_track(layers=2)
    down = subscriber(table, track)
    low, high = rendition(track, 0), rendition(track, 1)
    down.aim(low)
    feed(down, 500, key(9_000))
    down.aim(high)
    assert not feed(down, 10, key(1_000), now=10.03)
    assert down.rendition is low
    assert down in high.waiting


def test_another_filter_of_the_layer_goes_on_with_the_numbers_it_had(table: DownTrackTable):
    track = video_track()
    down = subscriber(table, track)
    everything, base = rendition(track), rendition(track, temporal=0)
    down.aim(everything)
    feed(down, 100, key(1_000, picture=5, picture_at=2, tl0=1, tl0_at=4))
    for one in track.layers[0].renditions:
        one.take(101, media(timestamp=4_000, temporal=2, picture=6, picture_at=2, tl0=1, tl0_at=4))
    before = down.last_out()
    down.aim(base)
    feed(down, 102, media(timestamp=7_000, picture_start=True, picture=7, picture_at=2, tl0=2, tl0_at=4))
    after = down.last_out()
    assert after.sequence == before.sequence + 1
    assert after.picture == before.picture + 1
    assert after.tl0 == before.tl0 + 1
    assert after.timestamp == before.timestamp + 3_000


def test_a_loss_before_such_a_switch_stays_a_gap(table: DownTrackTable):
    track = video_track()
    down = subscriber(table, track)
    rendition(track, temporal=0)
    down.aim(rendition(track))
    feed(down, 100, key(1_000))
    before = down.last_out()
    down.aim(rendition(track, temporal=0))
    feed(down, 103, media(timestamp=7_000, picture_start=True))
    assert down.last_out().sequence == before.sequence + 3


def test_upper_layers_begin_with_the_base_index_they_belong_to(table: DownTrackTable):
    track = video_track()
    down = subscriber(table, track)
    down.aim(rendition(track, temporal=0))
    rendition(track)
    feed(down, 100, key(1_000, tl0=50, tl0_at=4))
    before = down.last_out()
    down.aim(rendition(track))
    feed(down, 101, media(timestamp=2_000, temporal=2, picture_start=True, layer_sync=True, tl0=50, tl0_at=4))
    assert down.last_out().tl0 == before.tl0


def test_after_a_pause_numbers_go_on_and_time_has_passed(table: DownTrackTable):
    track = video_track()
    down = subscriber(table, track)
    one = rendition(track)
    down.aim(one)
    feed(down, 100, key(90_000), now=10.0)
    before = down.last_out()
    down.stop()
    assert down.last_out() == before
    assert one.unused
    for n in range(1, 60):
        one.take(100 + n, media(timestamp=90_000 + 3_000 * n))
    down.aim(one)
    feed(down, 160, key(90_000 + 3_000 * 60), now=12.0)
    after = down.last_out()
    assert after.sequence == before.sequence + 1
    assert after.timestamp - before.timestamp == pytest.approx(2 * 90_000, abs=9_000)


def test_sent_counts_only_what_was_forwarded_to_it(table: DownTrackTable):
    track = video_track()
    down = subscriber(table, track)
    one = rendition(track)
    one.take(1, media(payload=b"before"))
    down.aim(one)
    feed(down, 2, key(10_000))
    one.take(3, media(payload=b"12"))
    assert down.sent() == (2, len(b"payload") + 2)
    down.stop()
    one.take(4, media(payload=b"afterwards"))
    assert down.sent() == (2, len(b"payload") + 2)
    down.aim(one)
    feed(down, 5, key(20_000))
    assert down.sent() == (3, 2 * len(b"payload") + 2)


def test_changing_ones_mind_leaves_nobody_waiting(table: DownTrackTable):
    track = video_track(layers=3)
    down = subscriber(table, track)
    down.aim(rendition(track, 0))
    feed(down, 1, key(1_000))
    down.aim(rendition(track, 1))
    down.aim(rendition(track, 2))
    down.aim(rendition(track, 0))
    assert not any(one.waiting for layer in track.layers for one in layer.renditions)
    assert down.rendition is down.target is rendition(track, 0)
    down.aim(None)
    assert down.rendition is None
    assert not rendition(track, 0).members


class TestFind:
    def test_finds_what_went_out_under_each_span(self, table: DownTrackTable):
        track = video_track(layers=2)
        down = subscriber(table, track)
        down.aim(rendition(track, 0))
        feed(
            down,
            500,
            key(
                9_000,
            ),
        )
        rendition(track, 0).take(501, media(payload=b"low", timestamp=12_000))
        low_number = down.last_out().sequence
        down.aim(rendition(track, 1))
        track.layers[1].clock.observe(1_000, 8.0)
        feed(down, 90_000, key(200_000), now=10.2)
        rendition(track, 1).take(90_001, media(payload=b"high", timestamp=203_000))
        high_number = down.last_out().sequence
        for number, payload, source in ((low_number, b"low", 501), (high_number, b"high", 90_001)):
            found = down.find(number & 0xFFFF)
            assert found is not None
            span, stored_as, packet = found
            assert (packet.payload, stored_as) == (payload, source)
            assert stored_as - span.sequence == number

    def test_finds_nothing_before_the_start_nor_after_the_end(self, table: DownTrackTable):
        track = video_track()
        down = subscriber(table, track)
        assert down.find(5) is None
        down.aim(rendition(track))
        rendition(track).take(99, media())
        feed(down, 100, key(1_000))
        number = down.last_out().sequence
        assert down.find(number & 0xFFFF) is not None
        assert down.find((number - 1) & 0xFFFF) is None
        assert down.find((number + 1) & 0xFFFF) is None

    def test_remembers_a_bounded_number_of_switches(self, table: DownTrackTable):
        track = video_track()
        down = subscriber(table, track)
        for n in range(SWITCHES + 10):
            down.aim(rendition(track))
            feed(down, 100 + n, key(1_000 + 3_000 * n), now=10 + n / 30)
            down.stop()
        number = down.last_out().sequence
        assert down.find(number & 0xFFFF) is not None
        assert down.find((number - SWITCHES + 1) & 0xFFFF) is not None
        assert down.find((number - SWITCHES) & 0xFFFF) is None


def test_releasing_frees_the_row_and_leaves_the_rendition(table: DownTrackTable):
    track = video_track()
    down = subscriber(table, track)
    down.aim(rendition(track))
    feed(down, 1, key(1_000))
    down.release()
    assert len(table) == 0
    assert rendition(track).unused
    again = subscriber(table, track, peer=2)
    assert again.row == down.row
    assert table.sequence_offset[again.row] == 0
