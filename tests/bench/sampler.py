"""Where the engine's process is, looked at a thousand times a second.

Unlike a tracing profiler, looking costs the same whatever the code does, so a stage of many small calls is not made to
look slower than one of few large ones. Time in C, numpy and the kernel counts for the line that called.
"""

import gc
import signal
import time
from collections import Counter
from types import FrameType
from typing import NamedTuple

INTERVAL_S = 0.001
_DEPTH = 16


class Frame(NamedTuple):
    """A place in the code."""

    file: str
    function: str
    line: int


Stack = tuple[Frame, ...]
"""Innermost first."""


class Sampler:
    """Between ``start`` and ``stop`` counts where the process was."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[tuple[object, int], ...]] = Counter()

    def start(self) -> None:
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, INTERVAL_S, INTERVAL_S)

    def stop(self) -> dict[Stack, int]:
        """Returns how often each stack was seen."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        found: Counter[Stack] = Counter()
        for places, count in self._seen.items():
            stack = tuple(
                Frame(code.co_filename, code.co_name, line)  # type: ignore[attr-defined]
                for code, line in places
            )
            found[stack] += count
        self._seen.clear()
        return dict(found)

    def _look(self, _number: int, frame: FrameType | None) -> None:
        places = []
        while frame is not None and len(places) < _DEPTH:
            places.append((frame.f_code, frame.f_lineno or 0))
            frame = frame.f_back
        self._seen[tuple(places)] += 1


class Pause(NamedTuple):
    """One garbage collection."""

    generation: int
    seconds: float
    collected: int


class Pauses:
    """Notes every garbage collection of the process from now on."""

    def __init__(self) -> None:
        self._began_at = 0.0
        self._pauses: list[Pause] = []
        gc.callbacks.append(self._note)

    def take(self) -> list[Pause]:
        """Those since the last time."""
        pauses, self._pauses = self._pauses, []
        return pauses

    def _note(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began_at = time.perf_counter()
        else:
            pause = Pause(info["generation"], time.perf_counter() - self._began_at, info["collected"])
            self._pauses.append(pause)
