"""What the bench prints and writes."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.measure import Result

_HEADS = (
    "load",
    "packets/s/core",
    "µs",
    "floor µs",
    "of floor",
    "media alone µs",
    "user",
    "busy",
    "others",
    "per batch",
    "per message",
    "lost",
)


def table(results: Sequence[Result]) -> str:
    """One line for each load."""
    rows = [_HEADS] + [_row(result) for result in results]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = [
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    notes = [f"! {text}" for result in results for text in _complaints(result)]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], *notes])


def document(results: Sequence[Result]) -> dict[str, Any]:
    """All figures, with the machine they were measured on."""
    return {
        "machine": machine(),
        "loads": [
            {
                **asdict(result),
                "packets_per_core_s": round(result.per_core),
                "packet_us": result.packet_us,
                "ratio_to_floor": result.ratio,
                "lost": result.lost,
            }
            for result in results
        ],
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


def _row(result: Result) -> tuple[str, ...]:
    return (
        result.title,
        f"{result.per_core:,.0f}",
        f"{result.packet_us:.2f}",
        f"{median(result.floor_us):.2f}" if result.floor_us else "–",
        f"{result.ratio:.0%}" if result.ratio is not None else "–",
        f"{result.media_only_us:.2f}",
        f"{result.user_share:.0%}",
        f"{result.busy:.0%}",
        f"{result.others:.0%}",
        f"{result.per_batch:.0f}",
        f"{result.per_message:.1f}",
        f"{result.lost}",
    )


def _complaints(result: Result) -> list[str]:
    named = {
        "packets did not authenticate": result.forged,
        "numbers were not continuous": result.holes,
        "datagrams were refused by the engine": result.rejected,
        "datagrams were refused by the kernel": result.dropped,
        "datagrams found the engine's socket full": result.kernel_drops,
    }
    return [f"{result.title}: {count} {what}" for what, count in named.items() if count]
