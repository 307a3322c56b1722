"""When Python's cyclic garbage collector runs in a process that moves media.

Packets leave no cycles: three seconds of calls leave nothing for the collector. But a full collection looks at every
object there is, which with 1,000 participants (346,000 objects) stops everything for 200 to 400 ms, and Python starts
one whenever a quarter has come on top: in the middle of a wave of joins. So the young are collected as always (up to
2 ms), what is loaded at the start is never looked at again, and the old are looked at only when as many peer
connections have gone as are left, which leave about 120 small objects each in cycles; or at once when none is left.

A process has one collector, so only its owner may choose: ``hubbub serve`` does, a library in somebody's program
doesn't. :func:`tidy` does nothing where nobody has chosen.
"""

import gc
import time

YOUNG = 1_000
"""Objects made on top of those let go of, before the youngest are collected."""
MIDDLE = 4
"""Collections of the youngest before the next generation's, which then looks at 5,000 objects: up to 2 ms."""
NEVER = 1_000_000_000
"""Full collections are ours to start."""
MIN_DEPARTED = 500
"""Fewer peer connections that have gone are not worth a stop: 20 to 50 MB."""
MAX_MIDDLE = 2_000
"""Collections of the middle generation, after which everything is looked at for whatever else left cycles."""


def settle() -> None:
    """Call once at the end of the start: what is there stays, and old objects are left alone from now on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, NEVER)


def settled() -> bool:
    """Whether the process lives by this policy."""
    return gc.get_threshold()[2] >= NEVER


def tidy(departed: int, left: int) -> bool:
    """Collect everything if that is worth it: so many peer connections have gone since the last time, so many are left.

    Returns whether it was done.
    """
    if not settled():
        return False
    middle = gc.get_count()[2]
    if left and departed < max(MIN_DEPARTED, left) and middle < MAX_MIDDLE:
        return False
    if not departed and not middle:
        return False
    gc.collect()
    return True


class Pauses:
    """How long collections stop the process, by generation, while it is :meth:`begun <begin>`."""

    def __init__(self) -> None:
        self.counts = [0, 0, 0]
        self.total_s = [0.0, 0.0, 0.0]
        self.longest_s = [0.0, 0.0, 0.0]
        self._began_at = 0.0

    def begin(self) -> None:
        """Listen to the collector."""
        gc.callbacks.append(self._on_phase)

    def end(self) -> None:
        gc.callbacks.remove(self._on_phase)

    def __str__(self) -> str:
        """One line for people."""
        return ", ".join(
            f"gen {generation}: {count} x, {1000 * total_s:.1f} ms, longest {1000 * longest_s:.1f} ms"
            for generation, (count, total_s, longest_s) in enumerate(
                zip(self.counts, self.total_s, self.longest_s, strict=True)
            )
        )

    def _on_phase(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began_at = time.perf_counter()
            return
        took_s = time.perf_counter() - self._began_at
        generation = info["generation"]
        self.counts[generation] += 1
        self.total_s[generation] += took_s
        self.longest_s[generation] = max(self.longest_s[generation], took_s)
