"""When each frame of a stream that is written is due, so that a file is not sent as fast as it is read. Sans-IO."""


class Pace:
    """Places frames one after the other in time, on an RTP clock."""

    def __init__(self, clock_rate: int, *, late_s: float) -> None:
        """A writer who is later than ``late_s`` has paused: the stream goes on from where the clock is then."""
        self._clock_rate = clock_rate
        self._late_s = late_s
        self._timestamp = 0
        self._due_at: float | None = None

    def place(self, ticks: int, now: float) -> tuple[float, int, bool]:
        """A frame that lasts so many ticks of the RTP clock: when it is due, its timestamp (from 0 on) and
        whether there was a pause before it."""
        due_at = now if self._due_at is None else self._due_at
        paused = self._due_at is None
        if now - due_at > self._late_s:
            self._timestamp += round((now - due_at) * self._clock_rate)
            due_at, paused = now, True
        placed = due_at, self._timestamp, paused
        self._due_at = due_at + ticks / self._clock_rate
        self._timestamp += ticks
        return placed
