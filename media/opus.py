"""Opus by libopus, in frames of 20 ms (RFC 6716, RFC 7587)."""

from fractions import Fraction
from typing import TYPE_CHECKING

from media.pcm import LAYOUTS

if TYPE_CHECKING:
    import av

SAMPLE_RATE = 48_000
"""Of Opus in RTP, whatever the sound was recorded with."""
FRAME_SAMPLES = 960
"""20 ms."""
BITRATE_BPS = {1: 48_000, 2: 96_000}
"""By channels, good for music as well."""
_TIME_BASE = Fraction(1, SAMPLE_RATE)


class OpusEncoder:
    """Encodes frames of FRAME_SAMPLES at SAMPLE_RATE."""

    def __init__(self, channels: int) -> None:
        import av

        codec = av.CodecContext.create("libopus", "w")
        assert isinstance(codec, av.AudioCodecContext)
        codec.sample_rate = SAMPLE_RATE
        codec.layout = LAYOUTS[channels]
        codec.format = av.AudioFormat("s16")
        codec.bit_rate = BITRATE_BPS[channels]
        codec.options = {"frame_duration": "20"}
        self._codec = codec
        self._pts = 0

    def encode(self, frame: "av.AudioFrame") -> list[bytes]:
        """Payloads that are ready, one for each frame but for the encoder's own delay."""
        frame.pts, frame.time_base = self._pts, _TIME_BASE
        self._pts += frame.samples
        return [bytes(packet) for packet in self._codec.encode(frame)]


class OpusDecoder:
    """Decodes to 16 bits at a rate and number of channels of one's own choice."""

    def __init__(self, sample_rate: int = SAMPLE_RATE, channels: int = 1) -> None:
        import av

        codec = av.CodecContext.create("libopus", "r")
        assert isinstance(codec, av.AudioCodecContext)
        codec.sample_rate = SAMPLE_RATE
        codec.layout = LAYOUTS[channels]
        self._codec = codec
        self._resampler = av.AudioResampler("s16", LAYOUTS[channels], sample_rate)
        self._sample_rate = sample_rate
        self.malformed = 0
        """Payloads that are no Opus."""

    def decode(self, payload: bytes, ticks: int) -> "list[av.AudioFrame]":
        """The sound of one payload that belongs ``ticks`` of SAMPLE_RATE after the stream's beginning."""
        import av

        try:
            decoded = self._codec.decode(av.Packet(payload))
        except av.FFmpegError:
            self.malformed += 1
            return []
        frames = []
        for frame in decoded:
            frame.pts = None
            frames += self._resampler.resample(frame)
        pts = ticks * self._sample_rate // SAMPLE_RATE
        for frame in frames:
            frame.pts, frame.time_base = pts, Fraction(1, self._sample_rate)
            pts += frame.samples
        return frames
