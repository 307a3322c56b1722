"""Where the engine's process is, looked at every few milliseconds.

Unlike a tracing profiler, looking costs the same whatever the code does, so a stage of many small calls is not made to
look slower than one of few large ones. Time in C, numpy and the kernel counts for the line that called: a look waits
until the call is over, and then counts for all the CPU time since the look before.
"""

import gc
import signal
import time
from collections import defaultdict
from types import FrameType
from typing import NamedTuple

INTERVAL_S = 0.003
_DEPTH = 16


class Frame(NamedTuple):
    """A place in the code."""

    file: str
    function: str
    line: int


Stack = tuple[Frame, ...]
"""Innermost first."""


class Sampler:
    """Between ``start`` and ``stop`` notes where the process was, and for how much CPU time."""

    def __init__(self) -> None:
        self._seen: defaultdict[tuple[tuple[object, int], ...], float] = defaultdict(float)
        self._looked_at = 0.0

    def start(self) -> None:
        self._looked_at = time.process_time()
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, INTERVAL_S, INTERVAL_S)

    def stop(self) -> dict[Stack, float]:
        """Returns the CPU seconds of each stack that was seen."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        found: defaultdict[Stack, float] = defaultdict(float)
        for places, seconds in self._seen.items():
            stack = tuple(
                Frame(code.co_filename, code.co_name, line)  # type: ignore[attr-defined]
                for code, line in places
            )
            found[stack] += seconds
        self._seen.clear()
        return dict(found)

    def _look(self, _number: int, frame: FrameType | None) -> None:
        places = []
        while frame is not None and len(places) < _DEPTH:
            places.append((frame.f_code, frame.f_lineno or 0))
            frame = frame.f_back
        now = time.process_time()
        self._seen[tuple(places)] += now - self._looked_at
        self._looked_at = now


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
