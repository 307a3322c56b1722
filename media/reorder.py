"""Puts the packets of a stream back into order (RFC 3550 sequence numbers). Sans-IO."""

from typing import Generic, TypeVar

T = TypeVar("T")

MAX_PACKETS = 512
"""Packets held back at most; a jump by more is a stream that begins anew."""
_HALF = 0x8000


class Reorder(Generic[T]):
    """Holds back what comes after a gap until the gap is filled, or has been waited for long enough."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._next: int | None = None
        """Extended number of the packet that comes next."""
        self._held: dict[int, T] = {}
        self._gap_since = 0.0
        self.late = 0
        """Packets that came twice or too late."""

    def push(self, sequence: int, packet: T, now: float) -> list[tuple[int, T]]:
        """Take a packet by its 16-bit number; returns those whose turn it is, by extended number.

        A number that is missed out there has been given up.
        """
        if self._next is None:
            self._next = sequence
        distance = (sequence - self._next + _HALF) % (2 * _HALF) - _HALF
        if abs(distance) > MAX_PACKETS:
            ready = self._skip_all()
            self._next = (ready[-1][0] if ready else self._next) + 1
            self._next += (sequence - self._next) % (2 * _HALF)
            return ready + self._take(self._next, packet)
        if distance < 0:
            self.late += 1
            return []
        if distance and not self._held:
            self._gap_since = now
        ready = self._take(self._next + distance, packet)
        if ready:
            self._gap_since = now
        return ready + self.due(now)

    def due(self, now: float) -> list[tuple[int, T]]:
        """What has waited long enough for those before it."""
        ready: list[tuple[int, T]] = []
        while self._held and now - self._gap_since >= self._wait_s:
            self._next = min(self._held)
            ready += self._run()
            self._gap_since = now
        return ready

    def _take(self, number: int, packet: T) -> list[tuple[int, T]]:
        self._held[number] = packet
        return self._run()

    def _run(self) -> list[tuple[int, T]]:
        assert self._next is not None
        ready = []
        while self._next in self._held:
            ready.append((self._next, self._held.pop(self._next)))
            self._next += 1
        return ready

    def _skip_all(self) -> list[tuple[int, T]]:
        ready = sorted(self._held.items())
        self._held.clear()
        return ready
