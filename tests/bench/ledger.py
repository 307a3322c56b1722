"""What functions take, each without what it calls."""

from collections.abc import Callable
from typing import Any


class Ledger:
    """Adds up calls and seconds by part; a part is one function or several."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.calls: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        """But for what other functions in the ledger take that are called meanwhile."""
        self._clock = clock
        self._within_s = 0.0
        """Taken by what the one in progress has called."""

    def follow(self, part: str, owner: Any, name: str) -> None:
        """Put a function of a module or class in the ledger, for its calls from now on."""
        setattr(owner, name, self.timed(part, getattr(owner, name)))

    def timed(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The function, to be called in its place."""
        self.calls.setdefault(part, 0)
        self.seconds.setdefault(part, 0.0)

        def measured(*arguments: Any, **named: Any) -> Any:
            outer_s, self._within_s = self._within_s, 0.0
            started_at = self._clock()
            try:
                return work(*arguments, **named)
            finally:
                took_s = self._clock() - started_at
                self.seconds[part] += took_s - self._within_s
                self.calls[part] += 1
                self._within_s = outer_s + took_s

        return measured
