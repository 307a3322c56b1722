"""A network between two ends, emulated in memory from a seed: same seed, same fate for every packet.

One :class:`Netem` is one direction. A packet first waits for the link (rate, tail drop), then the path may
lose, corrupt, duplicate or delay it. Time comes in as ``now`` (seconds); nothing here sleeps.
"""

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from random import Random


@dataclass(frozen=True, slots=True)
class BurstLoss:
    """Gilbert-Elliott loss: nothing is lost in the good state, everything in the bad one."""

    share: float
    """Of all packets, lost in the long run; below 1."""
    mean_packets: float
    """Mean length of a burst."""

    @property
    def leave(self) -> float:
        return 1 / self.mean_packets

    @property
    def enter(self) -> float:
        return self.share * self.leave / (1 - self.share)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a network does to packets. Probabilities are 0 to 1 and per packet."""

    latency_s: float = 0.0
    jitter_s: float = 0.0
    """Extra delay, evenly spread from 0 to this."""
    jitter_reorders: bool = False
    """Let jitter change the order, as over several paths; else a packet waits for those before it."""
    loss: float = 0.0
    burst: BurstLoss | None = None
    reorder: float = 0.0
    """Packets held back by ``reorder_s`` while later ones pass."""
    reorder_s: float = 0.010
    duplicate: float = 0.0
    corrupt: float = 0.0
    """Packets that arrive with one bit flipped."""
    rate_bps: float = inf
    """Of the link; 0 holds everything back until it changes."""
    queue_bytes: float = inf
    """What may wait for the link; more is dropped."""


PERFECT = Conditions()


class Netem:
    """One direction of a network."""

    def __init__(self, conditions: Conditions = PERFECT, seed: int = 0) -> None:
        self._conditions = conditions
        self._random = Random(seed)  # noqa: S311 - fate, not secrets
        self._queue: deque[bytes] = deque()  # waiting for the link, the head being sent
        self._queued_bytes = 0
        self._head_done_at = inf
        self._travelling: list[tuple[float, int, bytes]] = []
        self._count = 0
        self._last_arrival = -inf
        self._in_burst = False
        self.sent = 0
        self.lost = 0
        self.overflowed = 0
        self.duplicated = 0
        self.corrupted = 0
        self.delivered = 0

    @property
    def conditions(self) -> Conditions:
        return self._conditions

    def change(self, conditions: Conditions, now: float) -> None:
        """New conditions for what hasn't left the link's queue yet."""
        self._serve(now)
        self._conditions = conditions
        self._start_head(now)
        self._serve(now)

    def send(self, data: bytes, now: float) -> None:
        self._serve(now)
        self.sent += 1
        if self._queued_bytes + len(data) > self._conditions.queue_bytes:
            self.overflowed += 1
            return
        self._queue.append(data)
        self._queued_bytes += len(data)
        if len(self._queue) == 1:
            self._start_head(now)
        self._serve(now)

    def next_timeout(self) -> float | None:
        """When something will next arrive or leave the queue; None if nothing is on its way."""
        at = self._head_done_at
        if self._travelling:
            at = min(at, self._travelling[0][0])
        return at if at < inf else None

    def receive(self, now: float) -> list[bytes]:
        """What has arrived by ``now``, in order of arrival."""
        self._serve(now)
        arrived = []
        while self._travelling and self._travelling[0][0] <= now:
            arrived.append(heappop(self._travelling)[2])
        self.delivered += len(arrived)
        return arrived

    @property
    def idle(self) -> bool:
        return not self._queue and not self._travelling

    def _start_head(self, now: float) -> None:
        rate_bps = self._conditions.rate_bps
        if not self._queue or rate_bps <= 0:
            self._head_done_at = inf
        else:
            self._head_done_at = now + len(self._queue[0]) * 8 / rate_bps

    def _serve(self, now: float) -> None:
        while self._queue and self._head_done_at <= now:
            left_at = self._head_done_at
            data = self._queue.popleft()
            self._queued_bytes -= len(data)
            self._travel(data, left_at)
            self._start_head(left_at)

    def _travel(self, data: bytes, left_at: float) -> None:
        conditions, chance = self._conditions, self._random.random
        # All dice are thrown for every packet, so that one setting doesn't change what another does.
        lost, burst, copied, spoiled, held, jitter = (chance() for _ in range(6))
        if self._falls_into_burst(burst) or lost < conditions.loss:
            self.lost += 1
            return
        if spoiled < conditions.corrupt and data:
            data = self._flip_bit(data)
            self.corrupted += 1
        arrival = left_at + conditions.latency_s + jitter * conditions.jitter_s
        if held < conditions.reorder:
            arrival += conditions.reorder_s
        elif not conditions.jitter_reorders:
            arrival = self._last_arrival = max(arrival, self._last_arrival)
        self._deliver(data, arrival)
        if copied < conditions.duplicate:
            self.duplicated += 1
            self._deliver(data, arrival)

    def _falls_into_burst(self, dice: float) -> bool:
        burst = self._conditions.burst
        if burst is None:
            self._in_burst = False
        elif self._in_burst:
            self._in_burst = dice >= burst.leave
        else:
            self._in_burst = dice < burst.enter
        return self._in_burst

    def _flip_bit(self, data: bytes) -> bytes:
        bit = self._random.randrange(len(data) * 8)
        spoiled = bytearray(data)
        spoiled[bit // 8] ^= 1 << bit % 8
        return bytes(spoiled)

    def _deliver(self, data: bytes, arrival: float) -> None:
        self._count += 1
        heappush(self._travelling, (arrival, self._count, data))
