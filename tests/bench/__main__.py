"""Measure the forwarding path over real sockets: ``make bench ARGS="…"`` or ``python -m tests.bench …``.

Without names everything is measured, which takes about thirteen minutes, and seven more beside a LiveKit server if
LIVEKIT_SERVER names its program, or livekit-server is found. With names only these.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sfu.config import MediaConfig
from tests.bench import api_costs, beside, broadcast, fairness, memory, overload, report
from tests.bench.engine_process import become_generator
from tests.bench.latency import Delays, LeftOutError, in_real_time
from tests.bench.loads import LOADS, SMALL_LOADS, TWO_PEOPLE, Load
from tests.bench.measure import Saturation, typical
from tests.bench.profile import profile
from tests.bench.results import document, load_entry, rounded
from tests.bench.scene import GENERATOR_CORE, Progress, Scene
from tests.bench.settings import media_config, progress_of

SLICES, SLICE_S = 5, 2.0
QUICK_SLICES, QUICK_SLICE_S = 2, 0.7
AT_LOAD = 0.7
DELAYS_S = 4.0
"""How long delays are measured …"""
TAKES = 3
"""… so many times, and the middle counts: a core that is shared is slow for a while now and then."""
PROFILE_S = 3.0


def main() -> int:
    """Measure what was chosen, print it as tables, and write it down."""
    arguments = _arguments()
    become_generator(GENERATOR_CORE)
    config = media_config(gso=not arguments.no_gso, batch=not arguments.no_batch)
    found = document(
        {
            "quick": arguments.quick,
            "gso": config.use_gso,
            "batch": config.use_sendmmsg,
            "slices": arguments.slices,
        }
    )
    if arguments.add and arguments.json.exists():
        older = json.loads(arguments.json.read_text())
        found = {**older, **{key: value for key, value in found.items() if key != "loads"}}
    chosen = arguments.parts or [load.name for load in LOADS] + list(_OTHERS)
    for load in (*LOADS, *SMALL_LOADS):
        if load.name in chosen:
            found["loads"][load.name] = _measure(load, config, arguments)
            _write(found, arguments.json)
    for name, (title, measure) in _OTHERS.items():
        if name in chosen:
            key = name.replace("-", "_")
            if (result := measure(config, progress_of(title))) is not None:
                found[key] = rounded(_plain(result))
                _write(found, arguments.json)
    print(report.text(found))
    return 0


def _write(found: Mapping[str, Any], path: Path | None) -> None:
    """Keep what there is so far: the next part may fail."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    names = [load.name for load in (*LOADS, *SMALL_LOADS)] + list(_OTHERS)
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        epilog="See docs/performance.md. Related: python -m tests.bench.profile (where each microsecond goes), "
        "tests.bench.report (tables of a result), tests.bench.compare (two results).",
    )
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="short slices: a look, not a measurement")
    parser.add_argument("--slices", type=int, default=SLICES, help=f"stretches of each load ({SLICES})")
    parser.add_argument("--json", type=Path, help="write the result here, such as bench/results/today.json")
    parser.add_argument("--add", action="store_true", help="add to that file what is measured now")
    parser.add_argument("--no-gso", action="store_true", help="send without UDP GSO")
    parser.add_argument(
        "--no-batch", action="store_true", help="send and receive without sendmmsg and recvmmsg"
    )
    parser.add_argument("--no-profile", action="store_true", help="don't sample where the time goes")
    parser.add_argument("--no-delays", action="store_true", help="don't time packets at 70 %% of saturation")
    arguments = parser.parse_args()
    if arguments.add and not arguments.json:
        parser.error("--add needs --json")
    unknown = set(arguments.parts) - set(names)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return arguments


def _measure(load: Load, config: MediaConfig, arguments: argparse.Namespace) -> dict[str, Any]:
    progress = progress_of(load.title)
    with Scene(load, config, progress) as scene:
        saturation = Saturation(scene)
        scene.engine.pauses()
        slices, slice_s = (QUICK_SLICES, QUICK_SLICE_S) if arguments.quick else (arguments.slices, SLICE_S)
        result = saturation.run(slices, slice_s)
        pauses = scene.engine.pauses()
        stages = None if arguments.no_profile else profile(saturation, PROFILE_S, typical(result.slices))[0]
        delays, note = None, ""
        if not (arguments.no_delays or load.receive_only):
            try:
                delays = _delays(scene, AT_LOAD * result.speed)
            except (
                LeftOutError
            ) as error:  # the machine has become slower since; what was measured still holds
                note = f"no delays at 70 %, because {error}"
    progress("done")
    return load_entry(result, pauses, stages, delays) | {"note": note}


def _delays(scene: Scene, speed: float) -> Delays:
    """The middle one of several takes. Raises LeftOutError."""
    takes = []
    for number in range(TAKES):
        scene.progress(f"timing packets, {number + 1} of {TAKES}")
        takes.append(in_real_time(scene, speed * DELAYS_S, speed))
    return sorted(takes, key=lambda one: one.p99_ms)[TAKES // 2]


def _two_people(config: MediaConfig, progress: Progress) -> Delays:
    """A room of two as it happens, alone in its engine."""
    with Scene(TWO_PEOPLE, config, progress) as scene:
        progress("timing packets")
        delays = in_real_time(scene, 2 * DELAYS_S, 1.0)
    progress("done")
    return delays


def _plain(result: Any) -> dict[str, Any]:
    """A record as a dictionary, with the figures that follow from others."""
    derived = [name for name, what in vars(type(result)).items() if isinstance(what, property)]
    return asdict(result) | {name: getattr(result, name) for name in derived}


_OTHERS: dict[str, tuple[str, Callable[[MediaConfig, Progress], Any]]] = {
    "two-people": ("two people", _two_people),
    "fairness": ("two people beside 1 to 500", fairness.measure),
    "memory": ("memory", memory.measure),
    "broadcast": ("1 camera to 3,000", broadcast.measure),
    "overload": ("overload", overload.measure),
    "api": ("server API", api_costs.measure),
    "beside": ("beside LiveKit", beside.measure),
}


if __name__ == "__main__":
    sys.exit(main())
