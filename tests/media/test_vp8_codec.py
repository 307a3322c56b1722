import av
import numpy as np
import pytest

from media.errors import BadFrame
from media.vp8_codec import Vp8Decoder, Vp8Encoder
from tests.harness.media import picture, shade_of


def frame(size: tuple[int, int], shade: int) -> av.VideoFrame:
    width, height = size
    i420 = np.frombuffer(picture(width, height, shade, 0), np.uint8).reshape(height * 3 // 2, width)
    return av.VideoFrame.from_ndarray(i420, format="yuv420p")


@pytest.mark.parametrize("size", [(320, 180), (640, 360)])
def test_a_picture_comes_through_in_the_tracks_size(size: tuple[int, int]) -> None:
    encoder, decoder = Vp8Encoder(320, 180, 15), Vp8Decoder()
    for number in range(3):
        (data,) = encoder.encode(frame(size, 90), number * 6000, keyframe=False)
        (seen,) = decoder.decode(data, number * 6000) or ()
    assert (seen.width, seen.height, seen.pts) == (320, 180, 12_000)
    assert abs(shade_of(seen.to_ndarray()[:180]) - 90) < 8


def test_key_frames_come_when_asked_for() -> None:
    encoder = Vp8Encoder(320, 180, 15)
    wishes = [True, False, True, False]
    data = [
        encoder.encode(frame((320, 180), 90), n * 6000, keyframe=wish)[0] for n, wish in enumerate(wishes)
    ]
    assert [not one[0] & 1 for one in data] == wishes


def test_time_that_stands_still_does_no_harm() -> None:
    encoder = Vp8Encoder(320, 180, 15)
    assert all(len(encoder.encode(frame((320, 180), 90), 0, keyframe=False)) == 1 for _ in range(3))


@pytest.mark.parametrize(
    ("width", "height", "fps"), [(0, 0, 15), (321, 180, 15), (8000, 180, 15), (320, 180, 0)]
)
def test_impossible_sizes_are_refused(width: int, height: int, fps: float) -> None:
    with pytest.raises(BadFrame):
        Vp8Encoder(width, height, fps)


def test_what_is_no_vp8_is_counted() -> None:
    decoder = Vp8Decoder()
    assert decoder.decode(b"\x01nonsense", 0) is None
    assert decoder.malformed == 1
