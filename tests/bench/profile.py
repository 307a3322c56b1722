"""Where each microsecond goes: ``python -m tests.bench.profile [--lines N] load …``."""

import argparse
import linecache
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.bench.engine_process import become_generator
from tests.bench.loads import LOADS, SMALL_LOADS
from tests.bench.measure import Saturation
from tests.bench.sampler import Stack
from tests.bench.scene import GENERATOR_CORE, Scene
from tests.bench.settings import media_config, progress_of
from tests.bench.stages import shares

SAMPLED_S = 4.0
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Profile:
    """CPU time of the engine for each packet by stage, in microseconds, while it is sampled."""

    stages_us: dict[str, float]
    packet_us: float
    user_share: float
    gc_us: float
    """Of it, in garbage collections; they happen in any stage."""
    samples: int


def profile(saturation: Saturation, sampled_s: float) -> tuple[Profile, dict[Stack, int]]:
    """Sample a calibrated load for about so many CPU seconds."""
    scene, engine = saturation.scene, saturation.scene.engine
    scene.progress("profiling")
    tape = scene.studio.record(sampled_s * saturation.speed, feedback=True)
    engine.pauses()
    engine.sample()
    one = scene.play(tape, saturation.window)
    samples = engine.samples()
    gc_s = sum(pause.seconds for pause in engine.pauses())
    stages_us = {stage: share * one.packet_us for stage, share in shares(samples).items()}
    found = Profile(
        stages_us, one.packet_us, one.user_s / one.cpu_s, 1e6 * gc_s / one.packets, sum(samples.values())
    )
    return found, samples


def table(found: Profile) -> str:
    """A line for each stage, in Markdown."""
    rows = [f"| {stage} | {us:.2f} | {us / found.packet_us:.0%} |" for stage, us in found.stages_us.items()]
    return "\n".join(
        [
            "| stage | µs per packet | share |",
            "|---|---|---|",
            *rows,
            f"| **all** | **{found.packet_us:.2f}** | user {found.user_share:.0%}, "
            f"kernel {1 - found.user_share:.0%}; garbage collection {found.gc_us:.2f} µs |",
        ]
    )


def lines(samples: dict[Stack, int], count: int) -> str:
    """The lines that samples were seen in most often."""
    seen: Counter[tuple[str, int, str]] = Counter()
    for stack, times in samples.items():
        seen[stack[0].file, stack[0].line, stack[0].function] += times
    total = seen.total()
    return "\n".join(
        f"{times / total:6.1%}  {_short(file)}:{line} {function}: {linecache.getline(file, line).strip()}"
        for (file, line, function), times in seen.most_common(count)
    )


def _short(file: str) -> str:
    return file.removeprefix(f"{_ROOT}/")


def main() -> int:
    """Profile the loads named."""
    names = [load.name for load in (*LOADS, *SMALL_LOADS)]
    parser = argparse.ArgumentParser(prog="python -m tests.bench.profile", description=__doc__)
    parser.add_argument("loads", nargs="+", metavar="load", choices=names, help=f"of {', '.join(names)}")
    parser.add_argument("--seconds", type=float, default=SAMPLED_S, help="CPU seconds to sample")
    parser.add_argument("--lines", type=int, default=0, metavar="N", help="print the N hottest lines too")
    arguments = parser.parse_args()
    become_generator(GENERATOR_CORE)
    for load in (*LOADS, *SMALL_LOADS):
        if load.name not in arguments.loads:
            continue
        progress = progress_of(load.title)
        with Scene(load, media_config(), progress) as scene:
            saturation = Saturation(scene)
            saturation.calibrate()
            found, samples = profile(saturation, arguments.seconds)
        progress("done")
        print(f"\n{load.title} ({load.name}), {found.samples} samples\n\n{table(found)}")
        if arguments.lines:
            print(f"\n{lines(samples, arguments.lines)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
