"""Choice of a key frame rule."""

import pytest

from sfu.codecs.keyframe import detector

STARTS = {
    "video/VP8": "10 00",
    "video/VP9": "08 00",
    "video/H264": "67 42",
    "video/H265": "4001 0c",
    "video/AV1": "48 01 0a",
}


@pytest.mark.parametrize("mime", STARTS)
def test_each_codec_knows_its_own_key_frames_alone(mime: str) -> None:
    is_start = detector(mime)
    assert is_start is detector(mime.lower())
    assert [name for name, text in STARTS.items() if is_start(memoryview(bytes.fromhex(text)))] == [mime]


@pytest.mark.parametrize("mime", ["audio/opus", "audio/red", "audio/PCMU"])
def test_audio_may_be_joined_anywhere(mime: str) -> None:
    assert detector(mime)(memoryview(b""))


def test_other_video_is_refused() -> None:
    with pytest.raises(ValueError, match="video/mpeg"):
        detector("video/mpeg")
