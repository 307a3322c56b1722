"""How fast something may come: the generic cell rate algorithm (GCRA), and the limits on the data
of a participant and a room.

GCRA keeps one number: when everything that has come would be over if it came at the allowed rate. What lies at
most a burst ahead of now passes.
"""

from .limits import Limits

BURST_S = 1.0
"""The burst of those who send data."""

_ROUNDING_S = 1e-6
"""What sums of intervals may be off by."""


class Gcra:
    """One limit."""

    __slots__ = ("_burst_s", "_clear_at", "_interval_s")

    def __init__(self, per_s: float, burst_s: float = BURST_S) -> None:
        """``burst_s``: as much as is allowed in this time may come at once."""
        self._interval_s = 1.0 / per_s
        self._burst_s = burst_s
        self._clear_at = float("-inf")

    def fits(self, now: float, cost: float) -> bool:
        """Whether so much may come now. What is larger than a burst may come when nothing did for a while."""
        if self._clear_at <= now:
            return True
        return self._clear_at - now + cost * self._interval_s <= self._burst_s + _ROUNDING_S

    def take(self, now: float, cost: float) -> None:
        """It has come."""
        self._clear_at = max(self._clear_at, now) + cost * self._interval_s


class DataRate:
    """The limits on messages and bytes of one participant, or of one room."""

    __slots__ = ("_bytes", "_limits", "_messages", "_whose", "refused")

    def __init__(self, messages_per_s: float, bytes_per_s: float, whose: str) -> None:
        self._limits = messages_per_s, bytes_per_s
        self._messages = Gcra(messages_per_s) if messages_per_s else None
        self._bytes = Gcra(bytes_per_s) if bytes_per_s else None
        self._whose = whose
        self.refused = 0
        """Messages that were too much."""

    def excess(self, now: float, size: int) -> str | None:
        """Which limit a message of so many bytes would exceed, in words; None when it fits."""
        if self._messages is not None and not self._messages.fits(now, 1):
            return f"a {self._whose} may send {self._limits[0]:g} data messages per second"
        if self._bytes is not None and not self._bytes.fits(now, size):
            return f"a {self._whose} may send {self._limits[1]:g} bytes of data per second"
        return None

    def take(self, now: float, size: int) -> None:
        """The message goes through."""
        if self._messages is not None:
            self._messages.take(now, 1)
        if self._bytes is not None:
            self._bytes.take(now, size)


def participant_rate(limits: Limits) -> DataRate | None:
    """What holds for a participant; None when nothing does."""
    messages, size = limits.participant_messages_per_s, limits.participant_bytes_per_s
    return DataRate(messages, size, "participant") if messages or size else None


def room_rate(limits: Limits) -> DataRate | None:
    """What holds for a room; None when nothing does."""
    messages, size = limits.room_messages_per_s, limits.room_bytes_per_s
    return DataRate(messages, size, "room") if messages or size else None
