"""VP8 by libvpx (RFC 6386). Calls take milliseconds: run them in a thread, one at a time."""

from fractions import Fraction
from typing import TYPE_CHECKING

from media.errors import BadFrame

if TYPE_CHECKING:
    import av

CLOCK_RATE = 90_000
MAX_SIDE = 4096
_TIME_BASE = Fraction(1, CLOCK_RATE)
_BITS_PER_PIXEL = 0.1
"""Of a webcam's picture that looks well."""
_OPTIONS = {
    "deadline": "realtime",
    "cpu-used": "8",
    "lag-in-frames": "0",
    "auto-alt-ref": "0",
    "error-resilient": "1",
    "undershoot-pct": "100",
    "overshoot-pct": "15",
}
_KEYFRAME_EVERY = 3000
"""Frames; receivers ask for what they need."""


class Vp8Encoder:
    """Encodes pictures of one size."""

    def __init__(self, width: int, height: int, fps: float, bitrate_bps: int = 0) -> None:
        """``bitrate_bps`` 0 is what suits the size. Raises BadFrame."""
        import av

        if not (2 <= width <= MAX_SIDE and 2 <= height <= MAX_SIDE and not width % 2 and not height % 2):
            raise BadFrame(f"width and height are even numbers from 2 to {MAX_SIDE}")
        if not 0 < fps <= 120:
            raise BadFrame("at most 120 frames per second")
        codec = av.CodecContext.create("libvpx", "w")
        assert isinstance(codec, av.VideoCodecContext)
        codec.width, codec.height = width, height
        codec.pix_fmt = "yuv420p"
        codec.time_base = _TIME_BASE
        codec.framerate = Fraction(fps).limit_denominator(1001)
        codec.bit_rate = bitrate_bps or max(round(width * height * fps * _BITS_PER_PIXEL), 50_000)
        codec.gop_size = _KEYFRAME_EVERY
        codec.thread_count = 1
        codec.options = dict(_OPTIONS)
        self._codec = codec
        self._size = width, height
        self._pts = -1

    def encode(self, frame: "av.VideoFrame", ticks: int, *, keyframe: bool) -> list[bytes]:
        """Encode a picture that belongs at ``ticks`` of the RTP clock; it is scaled and converted if need be."""
        from av.video.frame import PictureType

        frame = frame.reformat(*self._size, format="yuv420p")
        self._pts = max(ticks, self._pts + 1)
        frame.pts, frame.time_base = self._pts, _TIME_BASE
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        return [bytes(packet) for packet in self._codec.encode(frame)]


class Vp8Decoder:
    """Decodes whole frames, in order."""

    def __init__(self) -> None:
        import av

        codec = av.CodecContext.create("vp8", "r")
        assert isinstance(codec, av.VideoCodecContext)
        codec.thread_count = 1
        self._codec = codec
        self.malformed = 0

    def decode(self, data: bytes, ticks: int) -> "list[av.VideoFrame] | None":
        """The picture of a frame that belongs at ``ticks`` of the RTP clock; None for what is no VP8."""
        import av

        try:
            frames = self._codec.decode(av.Packet(data))
        except av.FFmpegError:
            self.malformed += 1
            return None
        for frame in frames:
            frame.pts, frame.time_base = ticks, _TIME_BASE
        return frames
