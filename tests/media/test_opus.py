import numpy as np
import pytest

from media.opus import FRAME_SAMPLES, OpusDecoder, OpusEncoder
from media.pcm import Cutter
from tests.harness.media import Ear, Tone


def encoded(frequency_hz: float, channels: int = 1) -> list[bytes]:
    cutter = Cutter(48_000, channels, out_rate=48_000, size=FRAME_SAMPLES)
    encoder = OpusEncoder(channels)
    samples = np.repeat(Tone(frequency_hz).next(FRAME_SAMPLES * 50), channels)
    return [payload for frame in cutter.feed(samples) for payload in encoder.encode(frame)]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [48_000, 16_000])
def test_a_tone_comes_through(rate: int, channels: int) -> None:
    decoder = OpusDecoder(rate, channels)
    ear = Ear(rate)
    for number, payload in enumerate(encoded(440)):
        for frame in decoder.decode(payload, number * FRAME_SAMPLES):
            assert (frame.sample_rate, frame.format.name) == (rate, "s16")
            ear.take(frame.to_ndarray().reshape(-1)[::channels])
    assert ear.hears(440)


def test_frames_say_when_they_belong() -> None:
    decoder = OpusDecoder()
    first, _, third, *_ = encoded(440)
    frames = decoder.decode(first, 0) + decoder.decode(third, 2 * FRAME_SAMPLES)
    assert [float(frame.pts * frame.time_base) for frame in frames] == [0.0, 0.04]  # type: ignore[operator]


def test_what_is_no_opus_is_counted() -> None:
    decoder = OpusDecoder()
    assert decoder.decode(b"\xff\xff\xff", 0) == []
    assert decoder.malformed == 1
    assert decoder.decode(encoded(440)[0], 0)
