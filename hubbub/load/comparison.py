"""What two servers are compared by: the loads, what was measured, the ratios and what they should be."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

_CAMERA = ("--video-bitrate", "600000", "--fps", "25")
_ONE_LAYER = ("--resolution", "360p", "--no-simulcast", *_CAMERA)
_THREE_LAYERS = ("--resolution", "720p", *_CAMERA)
BUSY_PERCENT = 90.0
"""From this share of its core on, the load generator may be what is measured."""


@dataclass(frozen=True, slots=True)
class Load:
    """One shape that both servers get."""

    name: str
    title: str
    ratio: float
    """How many times the other server's packets per CPU-second ours should make."""
    options: tuple[str, ...]
    """Of ``hubbub load``."""


LOADS = (
    Load("200", "1 publisher, 200 subscribers", 4.0, ("--subscribers", "200", *_ONE_LAYER)),
    Load("400", "1 publisher, 400 subscribers", 5.0, ("--subscribers", "400", *_ONE_LAYER)),
    Load(
        "meeting",
        "12 people, 3 layers each, all receive all",
        3.0,
        ("--publishers", "12", "--subscribers", "0", "--subscribe-all", *_THREE_LAYERS),
    ),
    Load(
        "pairs",
        "100 rooms of two",
        2.5,
        ("--rooms", "100", "--publishers", "2", "--subscribers", "0", "--subscribe-all", *_ONE_LAYER),
    ),
)
"""The camera has 600 kbit/s in its largest layer and 25 frames/s; microphones send Opus."""
MEMORY_RATIO = 0.1
"""Memory grown per participant: ours should be at most this share of the other's."""
JOIN_MAX_S = 0.100
"""Median time to join."""


class Figures(NamedTuple):
    """What counts of one server under one load, over all rounds."""

    packets_per_cpu_s: float
    packets_per_s: float
    """Received by the participants: the same for both servers, or they were not given the same work."""
    loss_percent: float
    join_median_s: float
    join_p99_s: float
    memory_per_participant_bytes: float | None
    """Of the first round: later ones find memory that was taken before."""
    tester_cpu_percent: float
    """The busiest round's."""
    notes: tuple[str, ...]
    """What spoils the figures."""


@dataclass(frozen=True, slots=True)
class Row:
    """A load and what came of it; summaries are those that ``hubbub load --json`` printed."""

    load: Load
    ours: Figures
    other: Figures
    summaries: Mapping[str, Sequence[Mapping[str, Any]]]

    @property
    def ratio(self) -> float:
        return self.ours.packets_per_cpu_s / self.other.packets_per_cpu_s

    @property
    def memory_ratio(self) -> float | None:
        ours, other = self.ours.memory_per_participant_bytes, self.other.memory_per_participant_bytes
        return ours / other if ours is not None and other else None


def figures(summaries: Sequence[Mapping[str, Any]]) -> Figures:
    """Put the rounds together: CPU and packets are summed, times are medians of the rounds'."""
    cpu_s = sum(one["server"]["cpu_s"] for one in summaries)
    measured_s = sum(one["measured_s"] for one in summaries)
    packets = sum(one["received"]["packets"] for one in summaries)
    lost = sum(one["lost"] for one in summaries)
    return Figures(
        packets_per_cpu_s=packets / cpu_s if cpu_s else 0.0,
        packets_per_s=packets / measured_s,
        loss_percent=100 * lost / max(packets + lost, 1),
        join_median_s=median(one["join"]["median_s"] for one in summaries),
        join_p99_s=median(one["join"]["p99_s"] for one in summaries),
        memory_per_participant_bytes=summaries[0]["server"]["memory_per_participant_bytes"],
        tester_cpu_percent=max(one["tester"]["cpu_percent"] for one in summaries),
        notes=tuple(dict.fromkeys(note for one in summaries for note in _notes(one))),
    )


def _notes(summary: Mapping[str, Any]) -> list[str]:
    tester = summary["tester"]
    notes = [f"{count} × {reason}" for reason, count in summary["failures"].items()]
    if summary["streams"] < summary["streams_expected"]:
        notes.append(f"{summary['streams']} of {summary['streams_expected']} streams")
    if tester["socket_drops"]:
        notes.append(f"{tester['socket_drops']} datagrams dropped by the generator")
    if tester["missed_frames"]:
        notes.append(f"{tester['missed_frames']} frames not sent in time")
    if tester["cpu_percent"] > BUSY_PERCENT:
        notes.append("the generator was the bottleneck")
    return notes


def table(rows: Sequence[Row], names: tuple[str, str]) -> str:
    """The report for people. ``names`` are those of our server and of the other."""
    heads = ("", names[0], names[1], "ratio", "target", "")
    lines: list[tuple[str, ...]] = [heads]
    lines += [_line(row.load.title, row.ours, row.other, row.ratio, row.load.ratio) for row in rows]
    first = rows[0]
    if (share := first.memory_ratio) is not None:
        lines.append(
            (
                "memory per participant",
                _kib(first.ours.memory_per_participant_bytes),
                _kib(first.other.memory_per_participant_bytes),
                f"{share:.2f}",
                f"≤ {MEMORY_RATIO}",
                _mark(share <= MEMORY_RATIO),
            )
        )
    lines.append(
        (
            "join, median (99 %)",
            _join(first.ours),
            _join(first.other),
            "",
            f"≤ {JOIN_MAX_S * 1000:.0f} ms",
            _mark(first.ours.join_median_s <= JOIN_MAX_S),
        )
    )
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    text = [
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*text, "", *_details(rows, names)])


def _line(title: str, ours: Figures, other: Figures, ratio: float, target: float) -> tuple[str, ...]:
    return (
        title,
        f"{ours.packets_per_cpu_s:,.0f}",
        f"{other.packets_per_cpu_s:,.0f}",
        f"{ratio:.2f}",
        f"≥ {target:g}",
        _mark(ratio >= target),
    )


def _details(rows: Sequence[Row], names: tuple[str, str]) -> list[str]:
    """A line for each load and server: what a sceptic wants to know."""
    lines = []
    for row in rows:
        for name, one in zip(names, (row.ours, row.other), strict=True):
            notes = "".join(f"; {note}" for note in one.notes)
            lines.append(
                f"{row.load.name}, {name}: {one.packets_per_s:,.0f} packets/s received, {one.loss_percent:.3f} % lost, "
                f"join {_join(one)}, generator {one.tester_cpu_percent:.0f} % of a core{notes}"
            )
    return lines


def document(
    rows: Sequence[Row], names: tuple[str, str], servers: Mapping[str, Any], at: str
) -> dict[str, Any]:
    """All figures, with the machine they were measured on."""
    return {
        "measured_at": at,
        "machine": machine(),
        "servers": servers,
        "loads": [
            {
                "name": row.load.name,
                "title": row.load.title,
                "options": row.load.options,
                "ratio": row.ratio,
                "target": row.load.ratio,
                "memory_ratio": row.memory_ratio,
                names[0]: row.ours._asdict(),
                names[1]: row.other._asdict(),
                "rounds": row.summaries,
            }
            for row in rows
        ],
        "targets": {"memory_ratio": MEMORY_RATIO, "join_median_s": JOIN_MAX_S}
        | {load.name: asdict(load)["ratio"] for load in LOADS},
    }


def machine() -> dict[str, Any]:
    """What a figure depends on."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _join(one: Figures) -> str:
    return f"{one.join_median_s * 1000:,.0f} ({one.join_p99_s * 1000:,.0f}) ms"


def _kib(octets: float | None) -> str:
    return "?" if octets is None else f"{octets / 1024:,.0f} KiB"


def _mark(met: bool) -> str:
    return "met" if met else "missed"
