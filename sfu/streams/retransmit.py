"""Which NACKs of a subscriber to serve, so that none makes an amplifier of them (RFC 4585 section 8)."""

from math import inf

MIN_GAP_S = 0.020
GAP_RTTS = 0.9
"""A packet asked for again sooner is still on its way (as in Jitsi Videobridge)."""
MAX_TIMES = 5
"""With three, a path that loses a fifth would leave one packet in 600 missing, and a key frame for each."""
SLOTS = 512
"""Packets remembered, a power of two."""
BUDGET_SHARE = 0.5
"""Of the send estimate: a path that loses a fifth takes a quarter again, and losses come in bursts."""
MIN_BUDGET_BPS = 100_000.0
BURST_S = 0.5
MIN_BURST_BYTES = 128_000.0
"""A lost key frame must be healed, and so must the first two seconds, before there is an estimate: at 2 Mbit/s with a
quarter lost in bursts that is 125 kB."""


class RetransmitLimiter:
    """Retransmissions of one down track."""

    __slots__ = ("_budget", "_burst", "_filled_at", "_rate", "_served", "refused", "served")

    def __init__(self) -> None:
        self.served = 0
        self.refused = 0
        self._served: list[tuple[int, float, int]] = [(-1, -inf, 0)] * SLOTS  # number, last time, times
        self._filled_at = -inf
        self.estimate(0.0)
        self._budget = self._burst

    def estimate(self, send_bps: float) -> None:
        """Follow the bandwidth estimate of the subscriber."""
        self._rate = max(MIN_BUDGET_BPS, send_bps * BUDGET_SHARE) / 8  # bytes per second
        self._burst = max(MIN_BURST_BYTES, self._rate * BURST_S)

    def allow(self, out_ext: int, size: int, now: float, rtt_s: float) -> bool:
        """Whether to send ``out_ext`` again now, ``size`` bytes. True counts as sent."""
        at = out_ext & (SLOTS - 1)
        number, last_at, times = self._served[at]
        if number != out_ext:
            last_at, times = -inf, 0
        if (
            times >= MAX_TIMES
            or now - last_at < max(MIN_GAP_S, GAP_RTTS * rtt_s)
            or not self._spend(size, now)
        ):
            self.refused += 1
            return False
        self._served[at] = (out_ext, now, times + 1)
        self.served += 1
        return True

    def _spend(self, size: int, now: float) -> bool:
        self._budget = min(self._burst, self._budget + max(0.0, now - self._filled_at) * self._rate)
        self._filled_at = now
        if size > self._budget:
            return False
        self._budget -= size
        return True
