import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from rooms.layers import OFF, TrackSettings, spatial_layer, temporal_layer, wanted_quality


def track(*heights: int, qualities: tuple[int, ...] = (0, 1, 2), **fields) -> models.TrackInfo:
    layers = [
        models.VideoLayer(quality=quality, height=height)
        for quality, height in zip(qualities, heights, strict=False)
    ]
    return models.TrackInfo(type=models.VIDEO, layers=layers, **fields)


@pytest.mark.parametrize(
    ("height", "quality"),
    [(90, 0), (180, 0), (200, 0), (201, 1), (360, 1), (400, 1), (401, 2), (720, 2), (2000, 2)],
)
def test_smallest_layer_that_is_nearly_large_enough(height: int, quality: int) -> None:
    assert wanted_quality(track(180, 360, 720), TrackSettings(width=height, height=height)) == quality


def test_of_two_layers_of_one_size_the_better() -> None:
    settings = TrackSettings(width=640, height=360)
    assert wanted_quality(track(360, 360), settings) == models.MEDIUM
    assert wanted_quality(track(360, 360, 720), settings) == models.MEDIUM


@pytest.mark.parametrize(
    ("size", "wanted", "quality"),
    [
        ((1280, 720), (300, 170), models.LOW),
        ((1280, 720), (640, 360), models.MEDIUM),
        ((1280, 720), (1280, 720), models.HIGH),
        ((720, 1280), (180, 320), models.LOW),
        ((720, 1280), (360, 640), models.MEDIUM),
        ((0, 0), (10, 10), models.HIGH),
        ((160, 90), (160, 90), models.HIGH),
    ],
)
def test_sizes_unnamed_by_the_publisher(size: tuple, wanted: tuple, quality: int) -> None:
    info = models.TrackInfo(type=models.VIDEO, width=size[0], height=size[1])
    assert wanted_quality(info, TrackSettings(width=wanted[0], height=wanted[1])) == quality


def test_quality_is_used_without_a_size() -> None:
    info = track(180, 360, 720)
    assert wanted_quality(info, TrackSettings(quality=models.MEDIUM)) == models.MEDIUM
    assert wanted_quality(info, TrackSettings(quality=models.OFF)) == OFF
    assert wanted_quality(info, TrackSettings(disabled=True, width=1000, height=1000)) == OFF
    audio = models.TrackInfo(type=models.AUDIO)
    assert wanted_quality(audio, TrackSettings(width=10, height=10)) == models.HIGH


def test_quality_ends_at_what_is_published() -> None:
    assert wanted_quality(track(180, 360), TrackSettings()) == models.MEDIUM


def test_spatial_layer_counts_published_qualities() -> None:
    two = track(180, 720, qualities=(0, 2))
    assert [spatial_layer(two, quality) for quality in (0, 1, 2)] == [0, 0, 1]
    assert [spatial_layer(models.TrackInfo(), quality) for quality in (OFF, 0, 1, 2)] == [0, 0, 1, 2]
    only_high = track(720, qualities=(2,))
    assert [spatial_layer(only_high, quality) for quality in (OFF, 0, 2)] == [0, 0, 0]


@pytest.mark.parametrize(("fps", "layer"), [(0, 3), (5, 0), (8, 0), (9, 1), (15, 1), (30, 2), (60, 3)])
def test_temporal_layer(fps: int, layer: int) -> None:
    assert temporal_layer(fps) == layer


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5000)), max_size=5),
    st.builds(
        rtc.UpdateTrackSettings,
        quality=st.integers(0, 9),
        width=st.integers(0, 2**32 - 1),
        height=st.integers(0, 2**32 - 1),
        fps=st.integers(0, 2**32 - 1),
        disabled=st.booleans(),
    ),
    st.integers(0, 5000),
    st.integers(0, 5000),
)
def test_whatever_is_said_gives_a_layer(layers, request, width: int, height: int) -> None:
    info = models.TrackInfo(
        type=models.VIDEO,
        width=width,
        height=height,
        layers=[models.VideoLayer(quality=quality, height=size) for quality, size in layers],
    )
    settings = TrackSettings.from_request(request)
    quality = wanted_quality(info, settings)
    assert OFF <= quality <= models.OFF
    assert spatial_layer(info, quality) >= 0
    assert 0 <= temporal_layer(settings.fps) <= 3
