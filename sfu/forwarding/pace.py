"""How many copies to send at once, so that it takes no longer than others can wait for it.

What a copy costs is measured: five times as much where caches are cold as where nothing but media is done. Each piece
costs something in itself, so pieces are larger while nobody waits for the end of them but the event loop.
"""

LEAST, MOST = 128, 1_000
ALONE_S = 0.0012
"""How long a piece may take, while nobody else receives media, …"""
SHARED_S = 0.0006
"""… and while somebody does."""
SHARED_FOR_S = 1.0
"""Who was sent something so long ago will be sent more."""
_EACH_S = 2.5e-6
"""What a copy costs before that is known."""
_WEIGHT = 0.1
"""Of the newest piece."""


class Pace:
    """Fed with what pieces took."""

    __slots__ = ("_each_s",)

    def __init__(self) -> None:
        self._each_s = _EACH_S

    def piece(self, others_s: float) -> int:
        """Copies to send at once, when others were sent something so many seconds ago."""
        most_s = SHARED_S if others_s < SHARED_FOR_S else ALONE_S
        return max(LEAST, min(MOST, int(most_s / self._each_s)))

    def took(self, copies: int, took_s: float) -> None:
        """Note what a piece has taken."""
        if copies:
            self._each_s += _WEIGHT * (took_s / copies - self._each_s)
