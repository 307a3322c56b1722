"""A result as a document: what was measured, of what code, on what machine."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from tests.bench.latency import Delays
from tests.bench.machine import machine, origin
from tests.bench.measure import Result
from tests.bench.profile import Profile
from tests.bench.sampler import Pause

FORMAT = 1
MUCH = 0.1
"""Share of the engine's core from which on others spoil a figure; interrupts alone take some of it."""
_DIGITS = 4


def document(options: Mapping[str, Any]) -> dict[str, Any]:
    """A document without figures yet."""
    return {"format": FORMAT, **origin(), "machine": machine(), "options": dict(options), "loads": {}}


def load_entry(
    result: Result, pauses: Sequence[Pause], profile: Profile | None, delays: Delays | None
) -> dict[str, Any]:
    """Figures of one load."""
    return rounded(
        {
            "title": result.title,
            "packets_per_core_s": round(result.per_core),
            "packet_us": result.packet_us,
            "slices_us": [one.packet_us for one in result.slices],
            "floor_us": median(result.floor_us) if result.floor_us else None,
            "ratio_to_floor": result.ratio,
            "media_only_us": result.media_only_us,
            "user_share": result.user_share,
            "busy": result.busy,
            "others": result.others,
            "per_call": result.per_batch,
            "per_message": result.per_message,
            "window": result.window,
            "times_real_time": result.speed,
            "largest_burst": result.largest_burst,
            "lost": result.lost,
            "checked": result.checked,
            "forged": result.forged,
            "holes": result.holes,
            "rejected": result.rejected,
            "dropped": result.dropped,
            "kernel_drops": result.kernel_drops,
            "garbage": garbage(pauses, sum(one.cpu_s for one in (*result.slices, *result.media_only))),
            "profile": asdict(profile) if profile is not None else None,
            "delays": asdict(delays) if delays is not None else None,
        }
    )


def garbage(pauses: Sequence[Pause], cpu_s: float) -> dict[str, Any]:
    """Garbage collections of the engine during so many CPU seconds."""
    total_s = sum(pause.seconds for pause in pauses)
    return {
        "longest_ms": 1000 * max((pause.seconds for pause in pauses), default=0.0),
        "total_ms": 1000 * total_s,
        "share": total_s / cpu_s if cpu_s else 0.0,
        "collections": [sum(pause.generation == n for pause in pauses) for n in range(3)],
        "collected": sum(pause.collected for pause in pauses),
    }


def rounded(value: Any) -> Any:
    """The same with numbers of as many digits as they deserve."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return value


def complaints(document: Mapping[str, Any]) -> list[str]:
    """What makes a figure doubtful."""
    named = {
        "lost": "packets were lost",
        "forged": "packets did not authenticate",
        "holes": "numbers were not continuous",
        "rejected": "datagrams were refused by the engine",
        "dropped": "datagrams were refused by the kernel",
        "kernel_drops": "datagrams found the engine's socket full",
    }
    found = [
        f"{load['title']}: {load[key]} {what}"
        for load in document["loads"].values()
        for key, what in named.items()
        if load[key]
    ]
    found += [f"{load['title']}: {load['note']}" for load in document["loads"].values() if load.get("note")]
    others = {
        "two people": document.get("two_people"),
        "two people beside 1 to 500": document.get("fairness", {}).get("beside"),
        "1 camera to 3,000": document.get("broadcast"),
        **{f"{load['title']}, 70 %": load["delays"] for load in document["loads"].values()},
    }
    found += [
        f"{title}: {one['lost']:,} copies were lost" for title, one in others.items() if one and one["lost"]
    ]
    return found + [
        f"{load['title']}: others took {load['others']:.0%} of the engine's core"
        for load in document["loads"].values()
        if load["others"] > MUCH
    ]
