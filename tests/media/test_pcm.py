import numpy as np
import pytest

from media.errors import BadFrame
from media.pcm import Cutter, level_of


def cutter(sample_rate: int = 48_000, channels: int = 1) -> Cutter:
    return Cutter(sample_rate, channels, out_rate=48_000, size=960)


def test_pieces_are_of_one_size_whatever_comes() -> None:
    made = cutter()
    frames = [frame for size in (1, 500, 2000, 379) for frame in made.feed(np.ones(size, np.int16))]
    assert [frame.samples for frame in frames] == [960, 960, 960]


def test_bytes_and_arrays_are_the_same() -> None:
    samples = np.arange(960, dtype=np.int16)
    (one,), (other,) = cutter().feed(samples), cutter().feed(samples.tobytes())
    assert np.array_equal(one.to_ndarray(), other.to_ndarray())
    assert np.array_equal(one.to_ndarray()[0], samples)


def test_other_rates_are_resampled() -> None:
    made = cutter(16_000)
    total = sum(frame.samples for _ in range(50) for frame in made.feed(np.zeros(320, np.int16)))
    assert 47_000 < total <= 48_000


def test_frames_of_another_shape_are_converted() -> None:
    (stereo,) = cutter(channels=2).feed(np.ones((960, 2), np.int16))
    (mono,) = cutter().feed(stereo)
    assert mono.layout.name == "mono"


@pytest.mark.parametrize(
    "sound",
    [b"\0", np.zeros(960, np.float32), np.zeros((480, 3), np.int16), np.zeros((2, 2, 2), np.int16), b"\0\0"],
)
def test_what_is_no_sound_is_refused(sound: object) -> None:
    with pytest.raises(BadFrame):
        cutter(channels=2).feed(sound)  # type: ignore[arg-type]


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 0), (48_000, 3), (1, 1), (10**9, 1)])
def test_impossible_shapes_are_refused(rate: int, channels: int) -> None:
    with pytest.raises(BadFrame):
        cutter(rate, channels)


def test_levels_are_as_rtp_says_them() -> None:
    (silence,) = cutter().feed(np.zeros(960, np.int16))
    (loud,) = cutter().feed(np.full(960, -32768, np.int16))
    (quiet,) = cutter().feed(np.full(960, 328, np.int16))
    assert (level_of(silence), level_of(loud), level_of(quiet)) == (127, 0, 40)
