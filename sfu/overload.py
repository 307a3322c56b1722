"""When an engine can't keep up, video goes before audio: how much of it is left out, by what the sockets show.

Three things tell of overload: datagrams that have waited long in the socket's buffer when they are read or found no
room in it, and packets for which the send buffer had no room. What lasts raises the level step by step; each step
leaves out another share of the video layers, whole, until they begin anew with a key frame. When it is over, they
come back step by step, so that the key frames don't all come at once.
"""

from collections.abc import Hashable
from math import inf

STEPS = 8
"""Shares that the layers are divided into; at this level no video is forwarded."""
RAISE = 2
"""Steps up at least, each LASTING_S that trouble lasts."""
ALL_S = 0.5
"""So far behind, all video is left out at once."""
TARGET_S = 0.1
"""Waiting in the receive buffer beyond which an engine is behind."""
DROPPING_S = 0.05
"""What the receive buffer has no room for for so long is an overload for which it is too small to show by waiting."""
LASTING_S = 0.2
"""Shorter trouble is a burst or a busy machine, which buffers are for (as in CoDel, RFC 8289)."""
FULL_LASTING_S = 1.0
"""The same where the kernel tells no arrival times, and full batches are all that is known."""
FORGOTTEN_S = 1.0
"""Signs of trouble further apart have nothing to do with each other. An overloaded engine's turns are long."""
CALM_S = 0.25
"""Without trouble, before each step back."""


class _Trouble:
    """Something seen again and again."""

    __slots__ = ("_since", "last_at")

    def __init__(self) -> None:
        self._since = inf
        self.last_at = -inf

    def seen(self, now: float) -> float:
        """Returns for how long it has been seen."""
        self._since = min(self._since, now) if now - self.last_at <= FORGOTTEN_S else now
        self.last_at = now
        return now - self._since

    def over(self) -> None:
        self._since = inf


class Overload:
    """Fed by the tick; says which streams to leave out."""

    def __init__(self) -> None:
        self.level = 0
        """0 when all is well, STEPS when no video is forwarded."""
        self.raised = 0
        """Times that the level rose from 0."""
        self._dropped = 0
        self._dropping = _Trouble()
        self._behind = _Trouble()
        self._full = _Trouble()
        self._refused = _Trouble()
        self._changed_at = -inf
        self._troubled = False
        """The newest batch was a sign of trouble."""

    def received(self, waited_s: float | None, now: float, *, full: bool, dropped: int = 0) -> None:
        """After a batch: how long its newest datagram has waited (None if unknown), and whether more may wait.

        ``dropped``: how many datagrams the socket has had no room for since the start.
        """
        dropping = dropped != self._dropped
        troubled = dropping or (full if waited_s is None else waited_s > TARGET_S)
        if not troubled and not self._troubled:
            return
        self._troubled, self._dropped = troubled, dropped
        self._note(self._dropping, dropping, DROPPING_S, now, STEPS)
        if waited_s is None:
            self._note(self._full, full, FULL_LASTING_S, now, RAISE)
        else:
            steps = max(RAISE, int(STEPS * waited_s / ALL_S))
            self._note(self._behind, waited_s > TARGET_S, LASTING_S, now, steps)

    def sent(self, refused: int, now: float) -> None:
        """Packets that the kernel had no room for; to be told when there are any, and while there is a level."""
        if refused:
            self._note(self._refused, True, LASTING_S, now, RAISE)
        last_at = max(self._changed_at, self._behind.last_at, self._refused.last_at, self._dropping.last_at)
        if self.level and now - last_at >= CALM_S:
            self.level -= 1
            self._changed_at = now

    def congested(self, now: float) -> bool:
        """Whether the kernel had no room lately: what is lost now is not worth a retransmission."""
        return self.level > 0 or now - self._refused.last_at < CALM_S

    def sheds(self, stream: Hashable) -> bool:
        """Whether a video stream is among those to leave out."""
        return self.level > 0 and hash(stream) % STEPS < self.level

    def _note(self, trouble: _Trouble, bad: bool, lasting_s: float, now: float, steps: int) -> None:
        if not bad:
            trouble.over()
            return
        if trouble.seen(now) >= lasting_s and now - self._changed_at >= LASTING_S and self.level < STEPS:
            self.raised += self.level == 0
            self.level = min(STEPS, self.level + steps)
            self._changed_at = now
