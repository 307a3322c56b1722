"""Fuzz parsers for a bounded time: ``python -m tests.fuzz --seconds 60 [--seed 1] [target …]``.

With atheris installed each target runs under libFuzzer in a process of its own; without, under the seeded mutator
of this folder, and the same seed and number of runs give the same inputs. An input that fails is saved in the
``--artifacts`` folder; once the bug is fixed, it belongs into the corpus.
"""

import argparse
import hashlib
import importlib.util
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from tests.fuzz.mutate import mutations
from tests.fuzz.targets import CORPUS, TARGETS, seeds

INPUT_TIMEOUT_S = 5.0
"""An input that takes longer is a finding: an endless loop or worse."""


def main() -> int:
    """Run the chosen targets one after the other; the exit status is 1 if any fails."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Fuzz parsers for a bounded time."
    )
    parser.add_argument(
        "targets", nargs="*", metavar="target", help=f"of {', '.join(TARGETS)}; all by default"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="time for each target")
    parser.add_argument("--seed", type=int, default=0, help="seed of the mutator")
    parser.add_argument(
        "--artifacts", type=Path, default=Path(".cache/fuzz"), help="folder for failing inputs"
    )
    parser.add_argument("--mutator", action="store_true", help="use the mutator even if atheris is installed")
    options = parser.parse_args()
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}")
    guided = not options.mutator and importlib.util.find_spec("atheris") is not None
    passed = [
        run_atheris(name, options.seconds, options.artifacts)
        if guided
        else run_mutator(name, options.seconds, options.seed, options.artifacts)
        for name in options.targets or TARGETS
    ]
    return 0 if all(passed) else 1


def run_atheris(name: str, seconds: float, artifacts: Path) -> bool:
    """Run one target under libFuzzer; it ends its process, hence one of its own."""
    found = artifacts / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "tests.fuzz.atheris_target", name),
        f"-max_total_time={max(round(seconds), 1)}",
        f"-timeout={INPUT_TIMEOUT_S:.0f}",
        f"-artifact_prefix={artifacts}/{name}-",
        # The first folder takes what libFuzzer finds new; the seeds are only read.
        *(str(found), str(CORPUS / name)),
    ]
    return subprocess.run(command, check=False).returncode == 0


def run_mutator(name: str, seconds: float, seed: int, artifacts: Path) -> bool:
    """Run one target under the mutator up to its first failure."""
    started = time.monotonic()
    runs = 0
    signal.signal(signal.SIGALRM, _give_up)
    for data in mutations(seeds(name), random.Random(f"{seed} {name}")):
        if not _survives(TARGETS[name], data):
            artifacts.mkdir(parents=True, exist_ok=True)
            saved = artifacts / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
            saved.write_bytes(data)
            print(f"{name}: FAILED after {runs} inputs on {saved}", flush=True)
            return False
        runs += 1
        if time.monotonic() - started > seconds:
            break
    print(f"{name}: {runs} inputs in {time.monotonic() - started:.1f} s", flush=True)
    return True


def _survives(target: Callable[[bytes], object], data: bytes) -> bool:
    signal.setitimer(signal.ITIMER_REAL, INPUT_TIMEOUT_S)
    try:
        target(data)
    except Exception:  # noqa: BLE001 (whatever a target raises is a finding)
        traceback.print_exc()
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return True


def _give_up(signum: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"input takes more than {INPUT_TIMEOUT_S} s")


if __name__ == "__main__":
    sys.exit(main())
