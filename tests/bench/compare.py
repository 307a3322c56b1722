"""Has anything become slower? ``python -m tests.bench.compare OLD.json NEW.json [--tolerance 0.05]``.

Ratios to the floor are compared first: the floor was measured in turns with the load, so a slower machine, or a busy
one, changes both. Absolute figures are only information, unless a load has no floor. Exits with 1 if something has
become worse by more than the tolerance, with 2 if the results can't be compared.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.results import FORMAT
from tests.bench.targets import look_up, lost

TOLERANCE = 0.05
_MACHINE = ("cpu", "cores", "kernel", "python", "libsrtp", "openssl", "gso")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of both results."""

    name: str
    old: float
    new: float
    better_up: bool
    judged: bool
    """Whether it counts, or only informs."""

    @property
    def gain(self) -> float:
        """How much better it is now; negative when worse. 0.1 is ten percent."""
        if not self.old or not self.new:
            return 0.0 if self.old == self.new else (1.0 if bool(self.new) is self.better_up else -1.0)
        return (self.new / self.old if self.better_up else self.old / self.new) - 1

    def worse(self, tolerance: float) -> bool:
        return self.judged and self.gain < -tolerance


def changes(old: Document, new: Document) -> Iterator[Change]:
    """What both measured, the ratios first."""
    loads = [name for name in new["loads"] if name in old["loads"]]
    yield from _each(old, new, [f"loads.{name}.ratio_to_floor" for name in loads], judged=True)
    for name in loads:
        alone = look_up(new, f"loads.{name}.ratio_to_floor") is None and _same_machine(old, new)
        yield from _each(old, new, [f"loads.{name}.packets_per_core_s"], judged=alone)
    yield from _each(old, new, [f"loads.{name}.lost" for name in loads], judged=True, better_up=False)
    memory = ["memory.idle", "memory.subscribed"]
    yield from _each(old, new, memory, judged=True, better_up=False)
    times = [f"loads.{name}.delays.p99_ms" for name in loads]
    times += ["two_people.p99_ms", "fairness.added_p99_ms", "broadcast.engine", "overload.recovery_s"]
    yield from _each(old, new, times, judged=False, better_up=False)
    compared = [f"beside.loads.{name}.ratio" for name in new.get("beside", {}).get("loads", {})]
    yield from _each(old, new, compared, judged=False)


def _each(
    old: Document, new: Document, paths: list[str], *, judged: bool, better_up: bool = True
) -> Iterator[Change]:
    for path in paths:
        before, after = look_up(old, path), look_up(new, path)
        if before is not None and after is not None and (judged or not (lost(old, path) or lost(new, path))):
            yield Change(path.removeprefix("loads."), before, after, better_up, judged)


def differences(old: Document, new: Document) -> list[str]:
    """What else differs than the code."""
    pairs = [(key, old["machine"].get(key), new["machine"].get(key)) for key in _MACHINE]
    pairs += [(key, old["options"].get(key), new["options"].get(key)) for key in ("quick", "gso", "batch")]
    return [f"{key}: {before} → {after}" for key, before, after in pairs if before != after]


def _same_machine(old: Document, new: Document) -> bool:
    return old["machine"].get("cpu") == new["machine"].get("cpu")


def main(arguments: list[str] | None = None) -> int:
    """Compare two results and print how they differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.compare", description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="share that may be lost (0.05)")
    given = parser.parse_args(arguments)
    old, new = (json.loads(path.read_text()) for path in (given.old, given.new))
    if {old.get("format"), new.get("format")} != {FORMAT}:
        print("these are not results of this bench", file=sys.stderr)
        return 2
    for line in differences(old, new):
        print(f"differs: {line}")
    found = list(changes(old, new))
    if not any(change.judged and not change.name.endswith(".lost") for change in found):
        print("nothing was measured in both", file=sys.stderr)
        return 2
    for change in found:
        mark = "WORSE" if change.worse(given.tolerance) else ("" if change.judged else "info")
        print(f"{mark:5}  {change.name:32} {change.old:>12,.4g} → {change.new:>12,.4g}  {change.gain:+.1%}")
    return int(any(change.worse(given.tolerance) for change in found))


if __name__ == "__main__":
    sys.exit(main())
