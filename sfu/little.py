"""Work for many, a little in each turn of the event loop, so that media goes on meanwhile.

What all people of a large room are told, by signalling or by data channels, would otherwise be written to all of them
at once: ten milliseconds for 200.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

LITTLE_S = 0.0005
"""Ten connections written to."""

Work = Callable[[], None]


class LittleByLittle:
    """Does what it is given, in the same order."""

    def __init__(self, little_s: float = LITTLE_S) -> None:
        """What was begun when ``little_s`` have passed is the last of a turn: 0 means one at a time."""
        self._little_s = little_s
        self._work: deque[Work] = deque()

    def soon(self, work: Work) -> None:
        """Do this in one of the next turns; it must not raise."""
        self._work.append(work)
        if len(self._work) == 1:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        until = time.monotonic() + self._little_s
        work = self._work
        try:
            while work:
                work[0]()
                work.popleft()
                if time.monotonic() >= until:
                    break
        except BaseException:  # one that raises all the same does not stand in everybody's way
            work.popleft()
            raise
        finally:
            if work:
                asyncio.get_running_loop().call_soon(self._go_on)
