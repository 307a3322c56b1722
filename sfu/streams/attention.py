"""A bell for the timer: a client must be asked for something soon, a packet again or a key frame, or told of a stream.

So that the timer looks at those who need it, and not at all.
"""

from collections.abc import Callable


class Attention:
    """One for all that a client sends and is sent. Rung by whoever sees the need; whoever then asks takes it down."""

    __slots__ = ("_tell", "raised")

    def __init__(self) -> None:
        self.raised = False
        self._tell: Callable[[], None] | None = None

    def listen(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` when the bell is rung, once until :meth:`lower`."""
        self._tell = tell
        if self.raised:
            tell()

    def ring(self) -> None:
        if not self.raised:
            self.raised = True
            if self._tell is not None:
                self._tell()

    def lower(self) -> None:
        self.raised = False
