"""Who speaks how loud, from RFC 6464 levels, the way LiveKit's clients expect to hear it.

Constants are LiveKit's defaults: level 35 counts as active, 40 % of a 400 ms window must be, and levels go
out in eighths so that small changes stay quiet.
"""

from collections.abc import Hashable, Iterable
from math import ceil, inf
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from sfu.compiled.streams import ACTIVE_MS, LOUDEST, OBSERVED_MS, SEEN_AT, SILENCE, SMOOTHED, observe
from sfu.config import MediaConfig
from sfu.net.arrays import Float64s
from sfu.streams.columns import MeterRows

STALE_S = 0.8
"""Silence after so long without packets (muted, DTX, gone)."""
STEPS = 8

Key = TypeVar("Key", bound=Hashable)


class SpeechSettings(NamedTuple):
    """What counts as speaking."""

    active_level: int = 35
    """Quietest level (-dBov) that counts as speech."""
    active_share: float = 0.4
    """Share of a window that must be that loud."""
    window_s: float = 0.4
    smooth_windows: int = 2
    """Windows that the exponential mean goes over."""

    @classmethod
    def of(cls, config: MediaConfig) -> "SpeechSettings":
        """As an engine is configured."""
        return cls(
            config.audio_active_level,
            config.audio_min_percentile / 100,
            config.audio_update_interval_ms / 1000,
            config.audio_smooth_intervals,
        )

    @property
    def smoothing(self) -> float:
        """Weight of the newest window."""
        return 2 / (self.smooth_windows + 1)

    @property
    def threshold(self) -> float:
        """Linear level from which on somebody speaks."""
        return float(10 ** (-self.active_level / 20))

    def numbers(self) -> Float64s:
        """For what is compiled."""
        return np.array(
            [self.active_level, 1000 * self.window_s, self.active_share, self.smoothing], np.float64
        )


_DEFAULT = SpeechSettings()


class LevelMeter:
    """Smoothed linear level of one audio stream."""

    __slots__ = ("_rows", "_speech", "row")

    def __init__(self, settings: SpeechSettings = _DEFAULT, rows: MeterRows | None = None) -> None:
        """Takes one of ``rows``; without any, the meter has rows of its own."""
        self._speech = settings.numbers()
        self._rows = MeterRows() if rows is None else rows
        self.row = self._rows.take()
        self._rows.reals[self.row, SEEN_AT] = -inf
        self._reset()

    def release(self) -> None:
        """Give the row back; nothing may be asked of the meter any more."""
        self._rows.release(self.row)

    def observe(self, level: int, duration_ms: int, now: float) -> None:
        """Take one packet's level, 0 (loudest) to 127 (silence), and how much audio it holds."""
        observe(self._rows.words, self._rows.reals, self.row, level, duration_ms, now, self._speech)

    def level(self, now: float) -> float:
        """Linear level, 0 to 1; 0 when silent or without packets for 800 ms."""
        real = self._rows.real
        if now - real[self.row, SEEN_AT] >= STALE_S:
            self._reset()
        level: float = real[self.row, SMOOTHED]
        return level

    def _reset(self) -> None:
        word, row = self._rows.word, self.row
        word[row, OBSERVED_MS] = word[row, ACTIVE_MS] = 0
        word[row, LOUDEST] = SILENCE
        self._rows.real[row, SMOOTHED] = 0.0


class SpeakerBoard(Generic[Key]):
    """What of a room's levels is news. Holds nothing of those who don't speak."""

    __slots__ = ("_speaking", "_threshold", "_updated_at", "_window_s")

    def __init__(self, settings: SpeechSettings = _DEFAULT) -> None:
        self._threshold, self._window_s = settings.threshold, settings.window_s
        self._speaking: dict[Key, float] = {}
        self._updated_at = -inf

    @property
    def speaking(self) -> dict[Key, float]:
        """Everybody who speaks as of the last update, with the level in eighths."""
        return dict(self._speaking)

    def due(self, now: float) -> bool:
        return now - self._updated_at >= self._window_s

    def update(self, levels: Iterable[tuple[Key, float]], now: float) -> dict[Key, float]:
        """Take all current linear levels; returns those that changed, 0 for who stopped or is gone."""
        self._updated_at = now
        threshold = self._threshold
        speaking = {key: quantise(level) for key, level in levels if level >= threshold}
        before = self._speaking
        changed = {key: level for key, level in speaking.items() if before.get(key) != level}
        changed.update((key, 0.0) for key in before if key not in speaking)
        self._speaking = speaking
        return changed


def quantise(level: float) -> float:
    """The level rounded up to eighths, at most 1."""
    return min(1.0, ceil(level * STEPS) / STEPS)
