"""Where a stream may be joined, by codec."""

from collections.abc import Callable
from typing import Final

from sfu.codecs import av1, h264, h265, vp8, vp9

KeyframeDetector = Callable[[memoryview], bool]

_VIDEO: Final[dict[str, KeyframeDetector]] = {
    "video/vp8": vp8.is_keyframe_start,
    "video/vp9": vp9.is_keyframe_start,
    "video/h264": h264.is_keyframe_start,
    "video/h265": h265.is_keyframe_start,
    "video/av1": av1.is_keyframe_start,
}


def detector(mime: str) -> KeyframeDetector:
    """Choose the function that tells whether a payload begins a key frame; for audio every one does.

    Raises:
        ValueError: a video codec that is not known here.
    """
    name = mime.lower()
    if name.startswith("audio/"):
        return _always
    try:
        return _VIDEO[name]
    except KeyError:
        raise ValueError(f"no key frame rule for {mime}") from None


def _always(payload: memoryview) -> bool:  # noqa: ARG001
    return True
