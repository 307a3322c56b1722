"""Measure the forwarding path: ``python -m tests.bench [--quick] [--json PATH] [load …]``."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from sfu.config import MediaConfig
from tests.bench import memory, report
from tests.bench.engine_process import take_core
from tests.bench.loads import LOADS, SMALL_LOADS, Load
from tests.bench.measure import Result, Saturation
from tests.bench.scene import GENERATOR_CORE, Scene
from tests.bench.settings import media_config, progress_of


def main() -> int:
    """Run the chosen loads one after the other and print what they showed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = [load.name for load in (*LOADS, *SMALL_LOADS)]
    parser.add_argument("loads", nargs="*", metavar="load", help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--quick", action="store_true", help="short slices: a look, not a measurement")
    parser.add_argument("--slices", type=int, default=5, help="stretches measured of each load")
    parser.add_argument("--json", type=Path, help="write the results to this file too")
    parser.add_argument("--no-gso", action="store_true", help="send without UDP GSO")
    parser.add_argument("--no-batch", action="store_true", help="send without sendmmsg and recvmmsg")
    arguments = parser.parse_args()
    unknown = set(arguments.loads) - set(names)
    if unknown:
        parser.error(f"no such load: {', '.join(sorted(unknown))}")
    take_core(GENERATOR_CORE)
    config = media_config(gso=not arguments.no_gso, batch=not arguments.no_batch)
    chosen = [load for load in (*LOADS, *SMALL_LOADS) if load.name in arguments.loads] or list(LOADS)
    results = [_measure(load, config, arguments) for load in chosen]
    print(report.table(results))
    document = report.document(results)
    if not arguments.loads:
        footprint = asyncio.run(memory.measure(config))
        print(
            f"\nmemory: {footprint.bytes_each / 1000:.0f} kB for each idle subscriber connection "
            f"(RSS growth over {footprint.connections}; at most 100)"
        )
        document["idle_subscriber_bytes"] = round(footprint.bytes_each)
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0


def _measure(load: Load, config: MediaConfig, arguments: argparse.Namespace) -> Result:
    progress = progress_of(load.title)
    with Scene(load, config, progress) as scene:
        result = Saturation(scene).run(*((2, 0.7) if arguments.quick else (arguments.slices, 2.0)))
    progress("done")
    return result


if __name__ == "__main__":
    sys.exit(main())
