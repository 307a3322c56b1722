"""When a simulcast layer lives and when it has stopped (fault 52: layers that flap)."""

from sfu.streams.liveness import LayerLiveness


def run(layer: LayerLiveness, start: float, end: float, fps: float) -> float:
    frames = int((end - start) * fps)
    for n in range(frames):
        layer.frame(start + n / fps)
    return start + (frames - 1) / fps


def test_it_lives_from_its_first_key_frame():
    layer = LayerLiveness()
    layer.frame(0.0)
    assert not layer.live
    assert layer.keyframe(0.1)
    assert layer.live
    assert not layer.keyframe(0.2), "only the first is news"


def test_it_stops_half_a_second_after_its_last_frame():
    layer = LayerLiveness()
    layer.keyframe(0.0)
    last = run(layer, 0.0, 2.0, 30)
    assert not layer.check(last + 0.49, lower_live=True)
    assert layer.check(last + 0.51, lower_live=True)
    assert not layer.live
    assert not layer.check(last + 0.6, lower_live=True), "only once"


def test_without_a_lower_layer_it_is_kept():
    layer = LayerLiveness()
    layer.keyframe(0.0)
    assert not layer.check(60.0, lower_live=False)
    assert layer.live


def test_a_slow_frame_rate_is_no_stop():
    layer = LayerLiveness()
    layer.keyframe(0.0)
    last = run(layer, 0.0, 30.0, 1)
    assert not layer.check(last + 2.5, lower_live=True)
    assert layer.check(last + 3.1, lower_live=True)


def test_stopped_it_needs_a_key_frame_to_live_again():
    layer = LayerLiveness()
    layer.keyframe(0.0)
    assert layer.check(1.0, lower_live=True)
    run(layer, 5.0, 6.0, 30)
    assert not layer.live
    assert layer.keyframe(6.0)
    assert layer.silence_s < 1.0, "the pause was no frame interval"


def test_a_layer_that_flaps_every_100_ms_stays_live():
    layer = LayerLiveness()
    layer.keyframe(0.0)
    for n in range(100):
        run(layer, n / 5, n / 5 + 0.1, 30)
        assert not layer.check(n / 5 + 0.19, lower_live=True)
    assert layer.live


def test_a_never_seen_layer_has_nothing_to_stop():
    assert not LayerLiveness().check(100.0, lower_live=True)
