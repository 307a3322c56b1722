"""A rendition numbers what passes its filter, keeps it, and knows who gets it."""

import struct

from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.profile import Profile
from sfu.forwarding.rendition import ALL_TEMPORAL, REDUNDANT_SLOT
from tests.harness.forwarding import OPUS, RED, audio_track, media, subscriber, video_track


def test_everything_passes_without_a_filter():
    rendition = video_track().layers[0].rendition(temporal=ALL_TEMPORAL, plain=False)
    packets = [media(timestamp=n, temporal=n % 3) for n in range(6)]
    taken = [rendition.take(1000 + n, packet) for n, packet in enumerate(packets)]
    assert taken == [(1000 + n, packet) for n, packet in enumerate(packets)]
    assert (rendition.packets, rendition.octets) == (6, 6 * len(b"payload"))
    assert rendition.timestamp == 5


def test_what_is_filtered_leaves_no_gap_in_numbers_and_pictures():
    rendition = video_track().layers[0].rendition(temporal=0, plain=False)
    out = []
    for n in range(8):  # one packet a picture, every second one in an upper layer
        taken = rendition.take(1000 + n, media(temporal=n % 2, picture=500 + n, picture_start=True))
        if taken is not None:
            out.append((taken[0], taken[1].picture))
    assert out == [(1000, 500), (1001, 501), (1002, 502), (1003, 503)]


def test_a_lost_packet_keeps_its_number_among_filtered_ones():
    rendition = video_track().layers[0].rendition(temporal=0, plain=False)
    assert rendition.take(10, media()) is not None
    assert rendition.take(11, media(temporal=1)) is None
    late_number, _ = rendition.take(13, media(timestamp=99)) or (0, None)
    assert late_number == 12
    number, _ = rendition.take(12, media(timestamp=98)) or (0, None)
    assert number == 11
    assert rendition.timestamp == 99, "the newest, not the last that came"


def test_a_preview_is_what_take_says_and_changes_nothing():
    rendition = video_track().layers[0].rendition(temporal=0, plain=False)
    for n in range(5):
        packet = media(temporal=n % 2, picture=70 + n, picture_start=True)
        before = (rendition.packets, rendition.numbering.last)
        seen = rendition.preview(200 + n, packet)
        assert (rendition.packets, rendition.numbering.last) == before
        assert rendition.take(200 + n, packet) == seen
    assert rendition.preview(200, media()) is None, "an old packet is nothing to start at"


def test_history_serves_renditions_that_keep_one():
    kept = video_track().layers[0].rendition(temporal=ALL_TEMPORAL, plain=False)
    kept.take(5, media(payload=b"five"))
    assert kept.history is not None
    found = kept.history.find(5)
    assert found is not None
    assert found.payload == b"five"
    assert audio_track().layers[0].rendition(temporal=ALL_TEMPORAL, plain=False).history is None


def test_redundant_audio_is_reduced_to_its_primary_block():
    layer = audio_track((RED, OPUS)).layers[0]
    plain = layer.rendition(temporal=ALL_TEMPORAL, plain=True)
    full = layer.rendition(temporal=ALL_TEMPORAL, plain=False)
    payload = struct.pack("!BBHB", 0x80 | 111, 960 >> 6, (960 & 0x3F) << 10 | 3, 111) + b"oldnew"
    packet = media(payload=payload, slot=REDUNDANT_SLOT)
    assert full.take(1, packet) == (1, packet)
    number, reduced = plain.take(1, packet) or (0, packet)
    assert (number, bytes(reduced.payload), reduced.slot) == (1, b"new", 0)
    broken = media(payload=b"\xff\xff", slot=REDUNDANT_SLOT)
    assert plain.take(2, broken) == (2, broken)


def test_the_fanout_is_by_profile_and_in_order_of_destinations():
    table, track = DownTrackTable(), video_track()
    rendition = track.layers[0].rendition(temporal=ALL_TEMPORAL, plain=False)
    one, other = Profile({}), Profile({})
    downs = [subscriber(table, track, peer) for peer in (7, 3, 5)]
    for down, profile in zip(downs, (one, other, one), strict=True):
        down.profile = profile
        rendition.join(down)
    found = {profile: fan.rows.tolist() for profile, fan in rendition.fanout()}
    assert found == {one: [downs[2].row, downs[0].row], other: [downs[1].row]}
    rendition.leave(downs[2])
    found = {profile: fan.rows.tolist() for profile, fan in rendition.fanout()}
    assert found == {one: [downs[0].row], other: [downs[1].row]}


def test_it_is_unused_when_nobody_forwards_or_waits():
    table, track = DownTrackTable(), video_track()
    layer = track.layers[0]
    rendition = layer.rendition(temporal=1, plain=False)
    down = subscriber(table, track)
    down.aim(rendition)
    layer.sweep()
    assert layer.renditions == [rendition]
    assert layer.rendition(temporal=1, plain=False) is rendition
    down.stop()
    assert rendition.unused
    layer.sweep()
    assert layer.renditions == []
