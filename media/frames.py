"""The types of frames, for annotations elsewhere: PyAV is imported only where frames are made."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame

    from media.pcm import Samples

    __all__ = ["AudioFrame", "Samples", "VideoFrame"]
