"""Who is due when: putting and taking cost the same however many wait."""

from collections.abc import Hashable
from math import ceil, floor, inf
from typing import Generic, TypeVar

SLOTS = 64

Item = TypeVar("Item", bound=Hashable)


class Wheel(Generic[Item]):
    """Items in slots of time. An item is in it once; put it again to have it earlier.

    What is due after the last slot comes out early, and is to be put again: SLOTS x ``step_s`` from now is as far
    as it reaches.
    """

    __slots__ = ("_due", "_now", "_slots", "_step_s")

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._slots: list[list[Item]] = [[] for _ in range(SLOTS)]
        self._due: dict[Item, int] = {}
        self._now = 0

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, item: Item) -> bool:
        return item in self._due

    def put(self, item: Item, at: float) -> None:
        """Have it out at ``at`` or in the step after; at the next :meth:`take` if that is over."""
        step = min(self._now + SLOTS, max(self._now + 1, ceil(at / self._step_s - 1e-6)))
        if self._due.get(item, step + 1) > step:
            self._due[item] = step
            self._slots[step % SLOTS].append(item)

    @property
    def due_at(self) -> float:
        """When to :meth:`take` next, infinity for never; too early where what was first has been forgotten."""
        if not self._due:
            return inf
        steps = range(self._now + 1, self._now + SLOTS + 1)
        return self._step_s * next(step for step in steps if self._slots[step % SLOTS])

    def others(self, items: set[Item]) -> set[Item]:
        """Those of ``items`` that are not in it."""
        return items.difference(self._due)

    def discard(self, item: Item) -> None:
        """Forget it."""
        self._due.pop(item, None)

    def take(self, now: float) -> list[Item]:
        """Take out what is due by now, earliest first."""
        last = floor(now / self._step_s + 1e-6)
        taken: list[Item] = []
        for step in range(self._now + 1, min(last, self._now + SLOTS) + 1):
            if slot := self._slots[step % SLOTS]:
                self._slots[step % SLOTS] = []
                for item in slot:
                    if self._due.get(item) == step:
                        del self._due[item]
                        taken.append(item)
        self._now = max(self._now, last)
        return taken
