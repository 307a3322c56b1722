"""How long a connection is waited for: when it is pinged, and when it has been silent, slow or deaf for too long.

Sans-IO. Times are seconds of a monotonic clock.
"""

CLOSE_TIMEOUT_S = 2.0
"""How long the client may take to answer a close frame."""
SECOND_LOOK_S = 1.0
"""When the event loop itself has stalled, timers fire before what arrived meanwhile is read: look again after this."""


class Patience:
    """With one connection."""

    __slots__ = (
        "_close_by",
        "_heard_at",
        "_look_again_at",
        "_paused_at",
        "_ping_at",
        "_ping_s",
        "_timeout_s",
    )

    def __init__(self, ping_s: float, timeout_s: float, now: float) -> None:
        """``timeout_s``: how long nothing may be heard, and nothing read."""
        self._ping_s = ping_s
        self._timeout_s = timeout_s
        self._ping_at = now + ping_s
        self._heard_at = now
        self._look_again_at: float | None = None
        """Once it seems to be silent: when it is taken to be."""
        self._paused_at: float | None = None
        self._close_by: float | None = None
        """Once the close frame is sent: when the answer must have come."""

    @property
    def paused(self) -> bool:
        """Whether the client reads too slowly for now."""
        return self._paused_at is not None

    @property
    def closing(self) -> bool:
        """Whether the close frame is sent."""
        return self._close_by is not None

    def heard(self, now: float) -> None:
        """Something came."""
        self._heard_at = now
        self._look_again_at = None

    def pause(self, now: float) -> None:
        """The client reads too slowly."""
        self._paused_at = now

    def resume(self) -> None:
        """It has caught up."""
        self._paused_at = None

    def close(self, now: float) -> None:
        """The close frame is sent."""
        self._close_by = now + CLOSE_TIMEOUT_S

    def end_of(self, now: float) -> str | None:
        """Why it is over, or None."""
        if self._close_by is not None and now >= self._close_by:
            return "close unanswered"
        if self._paused_at is not None and now >= self._paused_at + self._timeout_s:
            return "slow reader"
        if self._look_again_at is not None:
            return "silent" if now >= self._look_again_at else None
        if now >= self._heard_at + self._timeout_s:
            self._look_again_at = now + SECOND_LOOK_S
        return None

    def take_ping(self, now: float) -> bool:
        """Whether it is time for a ping, which then is taken as sent."""
        due = now >= self._ping_at
        if due:
            self._ping_at = now + self._ping_s
        return due

    def next_at(self) -> float:
        """When there is something to do next."""
        silent_at = self._heard_at + self._timeout_s
        wakes = [self._ping_at, silent_at if self._look_again_at is None else self._look_again_at]
        if self._paused_at is not None:
            wakes.append(self._paused_at + self._timeout_s)
        if self._close_by is not None:
            wakes.append(self._close_by)
        return min(wakes)
