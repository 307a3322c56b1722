"""What the forwarding path shall reach, and whether a result does."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hubbub.load.comparison import JOIN_MAX_S, MEMORY_RATIO
from hubbub.load.comparison import LOADS as COMPARED


@dataclass(frozen=True, slots=True)
class Target:
    """One figure of a result document, and its goal."""

    title: str
    path: str
    """Keys into the document, with dots between."""
    goal: float
    unit: str = ""
    at_most: bool = False

    def measured(self, document: Mapping[str, Any]) -> float | None:
        """The figure; None if it was not measured."""
        return look_up(document, self.path)

    def met(self, document: Mapping[str, Any]) -> bool | None:
        """Whether the goal is reached; None if it was not measured. Whoever lost packets has reached nothing."""
        found = self.measured(document)
        if found is None:
            return None
        if lost(document, self.path):
            return False
        return found <= self.goal if self.at_most else found >= self.goal


def look_up(document: Mapping[str, Any], path: str) -> float | None:
    """A number in a document; None where there is none."""
    found: Any = document
    for key in path.split("."):
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    if found is None or isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return math.nan if math.isnan(found) else float(found)


def lost(document: Mapping[str, Any], path: str) -> float:
    """Packets lost while a figure was measured, or anything that it is part of."""
    keys = path.split(".")[:-1]
    counts = (look_up(document, ".".join([*keys[:depth], "lost"])) for depth in range(1, len(keys) + 1))
    return sum(count for count in counts if count)


def _speed(load: str, title: str, per_core: float, ratio: float | None = None) -> tuple[Target, ...]:
    speed = Target(title, f"loads.{load}.packets_per_core_s", per_core, "/s")
    if ratio is None:
        return (speed,)
    return (speed, Target(f"{title}, of floor", f"loads.{load}.ratio_to_floor", ratio, "%"))


TARGETS: tuple[Target, ...] = (
    *_speed("video-50", "1 camera (720p) to 50", 300_000, 0.8),
    *_speed("video-500", "1 camera (720p) to 500", 300_000, 0.8),
    *_speed("audio-50", "10 speakers to 50", 190_000, 0.8),
    *_speed("audio-500", "10 speakers to 500", 190_000, 0.8),
    *_speed("meeting-25", "25 people, 3 layers each", 160_000),
    *_speed("pairs-500", "500 rooms of two", 60_000),
    *_speed("receive-1000", "1,000 speakers, packets in", 120_000),
    Target("delay at 70 % (25 people), p50", "loads.meeting-25.delays.p50_ms", 1, "ms", at_most=True),
    Target("delay at 70 % (25 people), p99", "loads.meeting-25.delays.p99_ms", 5, "ms", at_most=True),
    Target("delay of two people, p99", "two_people.p99_ms", 1, "ms", at_most=True),
    Target("added by a burst to 500, p99", "fairness.added_p99_ms", 2, "ms", at_most=True),
    Target("added by a burst to 500, longest", "fairness.added_max_ms", 2, "ms", at_most=True),
    Target("memory per subscriber, 10 tracks", "memory.subscribed", 120_000, "kB", at_most=True),
    Target("memory per idle subscriber", "memory.idle", 100_000, "kB", at_most=True),
    Target("1 camera to 3,000, engine", "broadcast.engine", 2, "CPU s/s", at_most=True),
    Target("short delays again after overload", "overload.recovery_s", 1, "s", at_most=True),
    Target("stall beside 200 API calls/s", "api.stall_ms", 5, "ms", at_most=True),
    Target("the same but for media's own work", "api.media_waited_ms", 5, "ms", at_most=True),
    Target("stall by API lists of 1,000", "api.lists_stall_ms", 5, "ms", at_most=True),
    *(
        Target(f"beside LiveKit: {load.title}", f"beside.loads.{load.name}.ratio", load.ratio, "×")
        for load in COMPARED
    ),
    Target("beside LiveKit: memory per participant", "beside.memory_ratio", MEMORY_RATIO, "%", at_most=True),
    Target("join, median of 201", "beside.join_median_ms", 1000 * JOIN_MAX_S, "ms", at_most=True),
)
"""Ratios are to the floor measured in turns with the load, or to LiveKit's packets per CPU-second."""
