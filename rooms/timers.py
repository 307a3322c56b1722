"""One-shot timers without a clock: whoever owns them asks when to wake up, and says that it is time."""

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Generic, TypeVar

What = TypeVar("What")

_SLACK = 64
"""How many cancelled timers may lie in the heap, besides one for each live one, before they are swept out."""


class Timer:
    """A pending call; it happens once, unless cancelled before."""

    __slots__ = ("_action", "_timers")

    def __init__(self, timers: "Timers", action: Callable[[], None]) -> None:
        self._timers = timers
        self._action: Callable[[], None] | None = action

    @property
    def pending(self) -> bool:
        """Whether it is still going to happen."""
        return self._action is not None

    def cancel(self) -> None:
        """Forget it; harmless when it is over."""
        if self._action is not None:
            self._action = None
            self._timers.settle()

    def fire(self) -> None:
        """Carry it out, for :class:`Timers`."""
        action, self._action = self._action, None
        if action is not None:
            self._timers.settle()
            action()


class Waits(Generic[What]):
    """What somebody waits for, each thing with one timer that ends the wait when it was in vain."""

    __slots__ = ("_timers",)

    def __init__(self) -> None:
        self._timers: dict[What, Timer] = {}

    def begin(self, what: What, timer: Timer) -> None:
        """Wait for this, and no longer as it was waited for before."""
        self.end(what)
        self._timers[what] = timer

    def end(self, *whats: What) -> None:
        """Wait no longer for these; harmless for what isn't waited for."""
        for what in whats:
            timer = self._timers.pop(what, None)
            if timer is not None:
                timer.cancel()

    def end_all(self) -> None:
        """Wait for nothing any more."""
        self.end(*self._timers)

    def __contains__(self, what: object) -> bool:
        return what in self._timers and self._timers[what].pending

    def __len__(self) -> int:
        return len(self._timers)


class Timers:
    """A heap of timers. Times are seconds of whatever monotonic clock the caller keeps."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._live = 0
        self.on_earlier: Callable[[], None] = lambda: None
        """Called when something is to happen before all that was."""

    def call_at(self, at: float, action: Callable[[], None]) -> Timer:
        """Have ``action`` called by the first :meth:`fire` whose ``now`` has reached ``at``."""
        timer = Timer(self, action)
        heapq.heappush(self._heap, (at, next(self._order), timer))
        self._live += 1
        if self._heap[0][2] is timer:
            self.on_earlier()
        return timer

    def next_at(self) -> float | None:
        """When :meth:`fire` has something to do next."""
        while self._heap and not self._heap[0][2].pending:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def fire(self, now: float) -> None:
        """Carry out what is due. What these actions set for ``now`` or earlier waits for the next call.

        Should one raise, the others that are due wait for it as well.
        """
        due: deque[tuple[float, int, Timer]] = deque()
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap))
        try:
            while due:
                due.popleft()[2].fire()
        finally:
            for entry in due:
                heapq.heappush(self._heap, entry)

    def settle(self) -> None:
        """Count a timer that is over, and sweep the heap when it is mostly such."""
        self._live -= 1
        if len(self._heap) > 2 * self._live + _SLACK:
            self._heap = [entry for entry in self._heap if entry[2].pending]
            heapq.heapify(self._heap)
