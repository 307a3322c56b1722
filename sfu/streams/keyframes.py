"""When to ask a publisher for a key frame, so that nobody waits and nobody can make a storm of it.

A key frame costs the publisher quality for everybody, so requests are limited twice: what one subscriber may
ask (:class:`RequestLimiter`) and what one layer's publisher is sent (:class:`KeyframeRequests`).
"""

from math import inf

from sfu.streams.attention import Attention

MIN_INTERVAL_S = 0.300
MAX_INTERVAL_S = 1.0
MIN_RETRY_S = 0.500
MAX_RETRY_S = 4.0
REQUESTS = 3
"""Requests that one subscriber is granted in PERIOD_S."""
PERIOD_S = 10.0
MIN_GAP_S = 0.200


class KeyframeRequests:
    """Requests to the publisher of one layer.

    Everybody who asks while a request is out shares the key frame that answers it. A request that comes too
    soon after the previous key frame isn't refused but deferred to the end of the interval, so the last one
    to ask is served.
    """

    __slots__ = ("_retry_s", "_sent_at", "_unanswered", "_waiting_since", "attention", "rtt_s", "sent")

    def __init__(self) -> None:
        self.attention = Attention()
        """The publisher's, once its layer is bound."""
        self.rtt_s = 0.0
        """Round trip to the publisher, set by the owner as it learns it."""
        self.sent = 0
        self._waiting_since: float | None = None
        self._sent_at = -inf
        self._unanswered = False
        self._retry_s = MIN_RETRY_S

    @property
    def interval_s(self) -> float:
        """Shortest time between two requests."""
        return max(MIN_INTERVAL_S, min(MAX_INTERVAL_S, 2 * self.rtt_s))

    @property
    def waiting(self) -> bool:
        """Somebody needs a key frame that hasn't come."""
        return self._waiting_since is not None

    def request(self, now: float) -> None:
        """Somebody needs a key frame."""
        if self._waiting_since is None:
            self._waiting_since = now
            self.attention.ring()

    @property
    def due_at(self) -> float:
        """When :meth:`due` will be true, if nothing changes."""
        if self._waiting_since is None:
            return inf
        return self._sent_at + (self._retry_s if self._unanswered else self.interval_s)

    def due(self, now: float) -> bool:
        """Whether to send a PLI (or FIR) now; True counts as sent."""
        if self._waiting_since is None:
            return False
        wait_s = self._retry_s if self._unanswered else self.interval_s
        if now - self._sent_at < wait_s:
            return False
        first = max(MIN_RETRY_S, 3 * self.rtt_s)
        self._retry_s = min(MAX_RETRY_S, 2 * self._retry_s if self._unanswered else first)
        self._unanswered = True
        self._sent_at = now
        self.sent += 1
        return True

    def keyframe(self, now: float) -> float:
        """A key frame has begun to arrive, asked for or not.

        Returns how long anybody waited for it, in seconds.
        """
        since, self._waiting_since = self._waiting_since, None
        self._unanswered = False
        return 0.0 if since is None else now - since

    def cancel(self) -> None:
        """Those who waited have gone. A request already sent keeps its place in the back-off."""
        self._waiting_since = None


class RequestLimiter:
    """What one subscriber may ask for: three requests in any ten seconds, 200 ms apart (as in Jitsi
    Videobridge).
    """

    __slots__ = ("_granted", "refused")

    def __init__(self) -> None:
        self._granted: tuple[float, ...] = ()  # a deque takes 760 bytes, for every subscription
        self.refused = 0

    def allow(self, now: float) -> bool:
        granted = self._granted
        if granted and (
            now - granted[-1] < MIN_GAP_S or (len(granted) == REQUESTS and now - granted[0] < PERIOD_S)
        ):
            self.refused += 1
            return False
        self._granted = (*granted, now)[-REQUESTS:]
        return True
