"""Layers of a track: which is best, which has stopped, and which needs a key frame."""

from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.rendition import ALL_TEMPORAL
from sfu.forwarding.uptrack import Layer
from tests.harness.forwarding import OPUS, RED, VP8, VP8_RTX, audio_track, media, subscriber, video_track


def alive(layer: Layer, now: float) -> None:
    layer.liveness.frame(now)
    layer.liveness.keyframe(now)
    layer.last_packet_at = now


def going_on(layer: Layer, start: float, end: float) -> None:
    at = start
    while at <= end:
        layer.liveness.frame(at)
        layer.last_packet_at = at
        at += 1 / 30


def test_slots_are_for_codecs_not_for_their_company():
    assert video_track(codecs=(VP8, VP8_RTX)).slots == {96: 0}
    assert audio_track((OPUS,)).slots == {111: 0}
    assert audio_track((RED, OPUS)).slots == {111: 0, 63: 1}


def test_the_name_of_a_track_is_what_the_client_sends_first():
    assert video_track().mime == "video/VP8"
    assert audio_track((RED, OPUS)).mime == "audio/red"
    assert audio_track((OPUS, RED)).mime == "audio/opus"


def test_the_best_layer_is_the_highest_that_lives_up_to_the_wish():
    track = video_track(layers=3)
    assert track.best(2) is None
    for layer in track.layers[:2]:
        alive(layer, 1.0)
    assert track.best(2) is track.layers[1]
    assert track.best(0) is track.layers[0]
    track.layers[0].liveness.live = False
    assert track.best(0) is track.layers[1], "better too much than nothing"


def test_an_upper_layer_stops_while_the_lower_goes_on():
    low, high = video_track(layers=2).layers
    for layer in (low, high):
        alive(layer, 1.0)
        going_on(layer, 1.0, 2.0)
    assert not high.stopped()
    going_on(low, 2.0, 3.0)
    assert high.stopped()
    assert not high.live
    assert not high.stopped(), "told once"


def test_the_silence_of_all_stops_nobody():
    low, high = video_track(layers=2).layers
    for layer in (low, high):
        alive(layer, 1.0)
        going_on(layer, 1.0, 2.0)
    assert not high.stopped()
    assert not low.stopped()
    going_on(low, 9.0, 9.01)
    assert high.stopped(), "only one came back"


def test_the_lowest_layer_never_stops():
    (only,) = video_track().layers
    alive(only, 1.0)
    assert not only.stopped()


def test_a_key_frame_is_wanted_by_who_comes_from_elsewhere():
    table, track = DownTrackTable(), video_track(layers=2)
    low, high = track.layers
    down = subscriber(table, track)
    down.aim(low.rendition(temporal=ALL_TEMPORAL, plain=False))
    assert low.wanted
    assert down.start(100, media(keyframe=True), 1.0, 1)
    assert not low.wanted
    down.aim(low.rendition(temporal=0, plain=False))
    assert not low.wanted, "fewer frames can begin at any picture"
    down.aim(high.rendition(temporal=0, plain=False))
    assert high.wanted
    assert not low.wanted
