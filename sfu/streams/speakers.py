"""Who speaks how loud, from RFC 6464 levels, the way LiveKit's clients expect to hear it.

Constants are LiveKit's defaults: level 35 counts as active, 40 % of a 400 ms window must be, and levels go
out in eighths so that small changes stay quiet.
"""

from collections.abc import Hashable, Iterable
from math import ceil, inf, log10
from typing import Generic, NamedTuple, TypeVar

from sfu.streams.columns import LevelColumns

STALE_S = 0.8
"""Silence after so long without packets (muted, DTX, gone)."""
STEPS = 8
MAX_PACKET_MS = 120
"""The longest Opus packet; a longer timestamp step is a pause, not speech."""

_SILENCE = 127

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

    @property
    def smoothing(self) -> float:
        """Weight of the newest window."""
        return 2 / (self.smooth_windows + 1)

    @property
    def threshold(self) -> float:
        """Linear level from which on somebody speaks."""
        return float(10 ** (-self.active_level / 20))


_DEFAULT = SpeechSettings()


class LevelMeter:
    """Smoothed linear level of one audio stream."""

    __slots__ = ("_columns", "_settings", "_smoothed", "row")

    def __init__(self, settings: SpeechSettings = _DEFAULT, columns: LevelColumns | None = None) -> None:
        """Takes a row of ``columns``; without any, the meter has columns of its own."""
        self._settings = settings
        self._columns = LevelColumns() if columns is None else columns
        self.row = self._columns.take()
        self._columns.seen[self.row] = -inf
        self._smoothed = 0.0
        self._reset()

    def release(self) -> None:
        """Give the row back; nothing may be asked of the meter any more."""
        self._columns.release(self.row)

    def observe(self, level: int, duration_ms: int, now: float) -> None:
        """Take one packet's level, 0 (loudest) to 127 (silence), and how much audio it holds."""
        columns, row = self._columns, self.row
        columns.seen[row] = now
        if duration_ms <= 0:
            return
        if duration_ms > MAX_PACKET_MS:
            duration_ms = MAX_PACKET_MS
        settings = self._settings
        if level <= settings.active_level:
            columns.active[row] += duration_ms
            if level < columns.loud[row]:
                columns.loud[row] = level
        observed_ms = columns.observed[row] + duration_ms
        columns.observed[row] = observed_ms
        if observed_ms >= 1000 * settings.window_s:
            self.close_window()

    def level(self, now: float) -> float:
        """Linear level, 0 to 1; 0 when silent or without packets for 800 ms."""
        if now - self._columns.seen[self.row] >= STALE_S:
            self._reset()
            self._smoothed = 0.0
        return self._smoothed

    def close_window(self) -> None:
        """Take what was observed as one window."""
        window_ms = 1000 * self._settings.window_s
        active_ms = min(self._columns.active[self.row], window_ms)
        if active_ms >= self._settings.active_share * window_ms:
            decibels = max(0, self._columns.loud[self.row]) - 20 * log10(active_ms / window_ms)
            self._smoothed += (10 ** (-decibels / 20) - self._smoothed) * self._settings.smoothing
        else:
            self._smoothed = 0.0
        self._reset()

    def _reset(self) -> None:
        columns, row = self._columns, self.row
        columns.observed[row] = columns.active[row] = 0
        columns.loud[row] = _SILENCE


class SpeakerBoard(Generic[Key]):
    """What of a room's levels is news. Holds nothing of those who don't speak."""

    __slots__ = ("_settings", "_speaking", "_updated_at")

    def __init__(self, settings: SpeechSettings = _DEFAULT) -> None:
        self._settings = settings
        self._speaking: dict[Key, float] = {}
        self._updated_at = -inf

    @property
    def speaking(self) -> dict[Key, float]:
        """Everybody who speaks as of the last update, with the level in eighths."""
        return dict(self._speaking)

    def due(self, now: float) -> bool:
        return now - self._updated_at >= self._settings.window_s

    def update(self, levels: Iterable[tuple[Key, float]], now: float) -> dict[Key, float]:
        """Take all current linear levels; returns those that changed, 0 for who stopped or is gone."""
        self._updated_at = now
        threshold = self._settings.threshold
        speaking = {key: quantise(level) for key, level in levels if level >= threshold}
        before = self._speaking
        changed = {key: level for key, level in speaking.items() if before.get(key) != level}
        changed.update((key, 0.0) for key in before if key not in speaking)
        self._speaking = speaking
        return changed


def quantise(level: float) -> float:
    """The level rounded up to eighths, at most 1."""
    return min(1.0, ceil(level * STEPS) / STEPS)
