"""Synthetic media whose origin can be told at the other end: pictures by their grey, tones by their pitch."""

from collections import deque

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

SAMPLE_RATE_HZ = 48_000
SHADE_TOLERANCE = 16
"""Encoders and the RGB of a canvas move the luma by a few steps."""
TONE_TOLERANCE_HZ = 15
TONE_WINDOW_S = 0.4


def picture(width: int, height: int, shade: int, frame_number: int) -> bytes:
    """One I420 frame: ``shade`` (luma 16–235) everywhere but for a bar in the lower third that moves."""
    luma = np.full((height, width), shade, np.uint8)
    bar = max(width // 8, 2)
    left = (frame_number * bar // 2) % max(width - bar, 1)
    luma[height * 2 // 3 :, left : left + bar] = 255 - shade
    chroma = np.full(width * height // 2, 128, np.uint8)
    return luma.tobytes() + chroma.tobytes()


def shade_of(luma: npt.NDArray[np.uint8]) -> float:
    """Mean of the upper half of a luma plane (height, width), where :func:`picture` has only its shade."""
    return float(luma[: luma.shape[0] // 2].mean())


class Tone:
    """A sine that goes on where the last chunk ended."""

    def __init__(self, frequency_hz: float, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
        self._step = 2 * np.pi * frequency_hz / sample_rate_hz
        self._position = 0

    def next(self, count: int) -> Samples:
        angles = (self._position + np.arange(count)) * self._step
        self._position += count
        return np.asarray(np.sin(angles) * 8000, np.int16)


class Ear:
    """The last :data:`TONE_WINDOW_S` of a mono signal, and what it sounds like."""

    def __init__(self, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.heard_s = 0.0
        self._window: deque[Samples] = deque()
        self._held = 0

    def take(self, samples: Samples) -> None:
        self._window.append(samples)
        self._held += len(samples)
        self.heard_s += len(samples) / self.sample_rate_hz
        while self._held - len(self._window[0]) >= TONE_WINDOW_S * self.sample_rate_hz:
            self._held -= len(self._window.popleft())

    @property
    def rms(self) -> float:
        """Root mean square of the window, 0–32767."""
        if not self._window:
            return 0.0
        return float(np.sqrt(np.mean(np.square(np.concatenate(self._window).astype(np.float64)))))

    @property
    def frequency_hz(self) -> float:
        """Where the spectrum of a full window is strongest; 0 before it is full or when it is silent."""
        if self._held < TONE_WINDOW_S * self.sample_rate_hz or self.rms < 100:
            return 0.0
        signal = np.concatenate(self._window).astype(np.float64)
        spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
        return float(np.argmax(spectrum) * self.sample_rate_hz / len(signal))

    def hears(self, frequency_hz: float) -> bool:
        return abs(self.frequency_hz - frequency_hz) <= TONE_TOLERANCE_HZ
