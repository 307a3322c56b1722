"""Sound in any shape that a program has it in, cut into equal pieces of one shape."""

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from media.errors import BadFrame

if TYPE_CHECKING:
    import av

Samples = npt.NDArray[np.int16]
Sound: TypeAlias = "av.AudioFrame | Samples | bytes | bytearray | memoryview"

LAYOUTS = {1: "mono", 2: "stereo"}
SILENT_DB = 127
"""As audio level."""


class Cutter:
    """Resamples what it is fed, and cuts it into frames of ``size`` samples per channel, 16 bits, interleaved."""

    def __init__(self, sample_rate: int, channels: int, *, out_rate: int, size: int) -> None:
        """``sample_rate`` (Hz) and ``channels`` are of raw samples; frames bring their own. Raises BadFrame."""
        if channels not in LAYOUTS:
            raise BadFrame("one channel or two")
        if not 8_000 <= sample_rate <= 192_000:
            raise BadFrame("a sample rate from 8,000 to 192,000")
        self._sample_rate = sample_rate
        self._channels = channels
        self._out_rate = out_rate
        self._size = size
        self._shape: tuple[str, str, int] | None = None
        self._resampler: av.AudioResampler | None = None

    def feed(self, sound: Sound) -> "list[av.AudioFrame]":
        """Take a frame, or raw samples: int16 as bytes or as an array of shape (n,), interleaved, or (n, channels).

        Returns what is complete. Raises BadFrame.
        """
        import av

        frame = sound if isinstance(sound, av.AudioFrame) else self._frame(sound)
        if not frame.samples:
            return []
        shape = frame.format.name, frame.layout.name, frame.sample_rate
        if shape != self._shape:
            self._shape = shape
            self._resampler = av.AudioResampler(
                "s16", LAYOUTS[self._channels], self._out_rate, frame_size=self._size
            )
        assert self._resampler is not None
        frame.pts = None
        return self._resampler.resample(frame)

    def _frame(self, sound: "Samples | bytes | bytearray | memoryview") -> "av.AudioFrame":
        import av

        if isinstance(sound, np.ndarray):
            if (
                sound.dtype != np.int16
                or (sound.ndim == 2 and sound.shape[1] != self._channels)
                or sound.ndim > 2
            ):
                raise BadFrame(f"samples are int16 of shape (n,) or (n, {self._channels})")
            flat = sound.reshape(-1)
        else:
            if len(sound) % 2:
                raise BadFrame("samples have two bytes each")
            flat = np.frombuffer(sound, np.int16)
        if len(flat) % self._channels:
            raise BadFrame(f"samples come in groups of {self._channels}, one for each channel")
        packed = np.ascontiguousarray(flat)[None, :]
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=LAYOUTS[self._channels])
        frame.sample_rate = self._sample_rate
        return frame


def level_of(frame: "av.AudioFrame") -> int:
    """The loudness of 16-bit samples as RTP says it: 0 for a square wave at the limits to 127 for silence, -dBov."""
    samples = frame.to_ndarray().astype(np.float64)
    power = float(np.mean(np.square(samples))) / 32768.0**2
    return SILENT_DB if power <= 0 else min(max(round(-10 * float(np.log10(power))), 0), SILENT_DB)
