"""Where each microsecond goes: ``python -m tests.bench.profile [--lines N] load …``."""

import argparse
import linecache
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tests.bench.engine_process import become_generator
from tests.bench.loads import LOADS, SMALL_LOADS
from tests.bench.measure import Saturation
from tests.bench.sampler import Stack
from tests.bench.scene import GENERATOR_CORE, Scene, Slice
from tests.bench.settings import media_config, progress_of
from tests.bench.stages import shares

SAMPLED_S = 4.0
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Profile:
    """CPU time of the engine for each packet by stage, in microseconds."""

    stages_us: dict[str, float]
    packet_us: float
    """Without sampling, which costs a few percent."""
    user_share: float


def profile(saturation: Saturation, sampled_s: float, plain: Slice) -> tuple[Profile, dict[Stack, float]]:
    """Sample a calibrated load for about so many CPU seconds; ``plain`` was measured without."""
    scene, engine = saturation.scene, saturation.scene.engine
    scene.progress("profiling")
    saturation.play(sampled_s * saturation.speed, meanwhile=engine.sample)
    samples = engine.samples()
    stages_us = {stage: share * plain.packet_us for stage, share in shares(samples).items()}
    return Profile(stages_us, plain.packet_us, plain.user_s / plain.cpu_s), samples


def table(found: Profile) -> str:
    """A line for each stage, in Markdown."""
    rows = [f"| {stage} | {us:.2f} | {us / found.packet_us:.0%} |" for stage, us in found.stages_us.items()]
    return "\n".join(
        [
            "| stage | µs per packet | share |",
            "|---|---|---|",
            *rows,
            f"| **all** | **{found.packet_us:.2f}** | user {found.user_share:.0%}, "
            f"kernel {1 - found.user_share:.0%} |",
        ]
    )


def lines(samples: dict[Stack, float], count: int) -> str:
    """The lines that samples were seen in most often."""
    seen: defaultdict[tuple[str, int, str], float] = defaultdict(float)
    for stack, seconds in samples.items():
        seen[stack[0].file, stack[0].line, stack[0].function] += seconds
    total = sum(seen.values())
    hottest = sorted(seen.items(), key=lambda item: -item[1])[:count]
    return "\n".join(
        f"{seconds / total:6.1%}  {_short(file)}:{line} {function}: {linecache.getline(file, line).strip()}"
        for (file, line, function), seconds in hottest
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
            plain = saturation.play(arguments.seconds / 2 * saturation.speed)
            found, samples = profile(saturation, arguments.seconds, plain)
        progress("done")
        print(f"\n{load.title} ({load.name})\n\n{table(found)}")
        if arguments.lines:
            print(f"\n{lines(samples, arguments.lines)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
