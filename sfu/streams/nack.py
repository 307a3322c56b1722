"""Which packets of a publisher to ask for again, and when to stop asking (RFC 4585 section 6.2.1).

The first request waits a moment for reordered packets; later ones back off as LiveKit's do (RTT x 1.25^n).
"""

from math import inf

from sfu.streams.attention import Attention

NACK_LIMIT = 256
"""Missing packets remembered per stream."""
TRIES = 6
"""Requests per packet for video."""
AUDIO_TRIES = 2
MAX_AGE_S = 1.0
"""A video packet missing for longer is given up for a key frame."""
REORDER_PACKETS = 3
"""So many newer packets make a gap a loss at once."""
FIRST_DELAY_S = 0.010
FIRST_DELAY_RTTS = 0.1
MAX_FIRST_DELAY_S = 0.100
MIN_INTERVAL_S = 0.020
MAX_INTERVAL_S = 0.400
BACKOFF = 1.25
DEFAULT_RTT_S = 0.070

_NOTHING: list[int] = []


class NackRegister:
    """The gaps of one received stream. Call :meth:`due` when ``attention`` is rung, and again at ``due_at``."""

    __slots__ = ("_gave_up", "_highest", "_limit", "_missing", "_tries", "abandoned", "attention", "due_at")

    def __init__(self, limit: int = NACK_LIMIT, tries: int = TRIES) -> None:
        self._limit = limit
        self._tries = tries
        self._highest = -1
        # extended sequence -> [noticed at, asked at, times asked], oldest first
        self._missing: dict[int, list[float]] = {}
        self._gave_up = False
        self.attention = Attention()
        """The publisher's, once its stream is bound."""
        self.due_at = inf
        """When :meth:`due` may have something to say again, as of its last call."""
        self.abandoned = 0
        """Packets given up, for statistics."""

    def __len__(self) -> int:
        return len(self._missing)

    @property
    def pending(self) -> bool:
        """Whether :meth:`due` may have something to say, now or later."""
        return bool(self._missing) or self._gave_up

    def follow(self, highest: int) -> None:
        """All up to this number came one after the other; so not each of them need be noted."""
        if highest > self._highest:
            self._highest = highest

    def received(self, ext_seq: int, now: float) -> None:
        """Note an arrival, whichever way it came; the numbers skipped before it become missing."""
        highest = self._highest
        if ext_seq == highest + 1:
            self._highest = ext_seq
        elif ext_seq <= highest:
            self._missing.pop(ext_seq, None)
        else:
            self._highest = ext_seq
            if highest >= 0:
                self._gap(highest + 1, ext_seq, now)

    def due(self, now: float, rtt_s: float = 0.0) -> tuple[list[int], bool]:
        """Extended sequences to ask for now, oldest first, and whether only a key frame can help any more.

        ``rtt_s`` is the round trip to the publisher, 0 if unknown. The list is the caller's to read, not to
        change.
        """
        gave_up, self._gave_up = self._gave_up, False
        again_at = self.due_at = inf
        if not self._missing:
            return _NOTHING, gave_up
        rtt_s = rtt_s if rtt_s > 0 else DEFAULT_RTT_S
        first_delay_s = max(FIRST_DELAY_S, min(MAX_FIRST_DELAY_S, FIRST_DELAY_RTTS * rtt_s))
        surely_lost = self._highest - REORDER_PACKETS
        ask: list[int] = []
        hopeless: list[int] = []
        for ext_seq, entry in self._missing.items():
            noticed_at, asked_at, times = entry
            if now - noticed_at > MAX_AGE_S:
                hopeless.append(ext_seq)
            elif times == 0:
                if ext_seq <= surely_lost or now - noticed_at >= first_delay_s:
                    ask.append(ext_seq)
                else:
                    again_at = now  # three more packets may come at any time
            elif now >= (due_at := asked_at + _interval_s(rtt_s, times)):
                (hopeless if times >= self._tries else ask).append(ext_seq)
            elif due_at < again_at or noticed_at + MAX_AGE_S < again_at:
                again_at = min(due_at, noticed_at + MAX_AGE_S)
        for ext_seq in ask:
            entry = self._missing[ext_seq]
            entry[1] = now
            entry[2] += 1
            again_at = min(again_at, now + _interval_s(rtt_s, entry[2]), entry[0] + MAX_AGE_S)
        self.due_at = again_at
        self._abandon(hopeless)
        return ask, gave_up or bool(hopeless)

    def forget_before(self, ext_seq: int) -> None:
        """Stop asking for what is older: a key frame has begun at ``ext_seq``."""
        for old in [missing for missing in self._missing if missing < ext_seq]:
            del self._missing[old]

    def clear(self) -> None:
        """Forget everything, as when nobody listens any more; the next packet starts anew."""
        self._missing.clear()
        self._highest = -1
        self._gave_up = False
        self.due_at = inf

    def _gap(self, first: int, end: int, now: float) -> None:
        self.attention.ring()
        missing = self._missing
        if end - first > self._limit:  # not worth asking for: only a key frame helps
            self.abandoned += end - first + len(missing)
            missing.clear()
            self._gave_up = True
            return
        for ext_seq in range(first, end):
            missing[ext_seq] = [now, 0.0, 0]
        excess = len(missing) - self._limit
        if excess > 0:
            self._abandon(list(missing)[:excess])
            self._gave_up = True

    def _abandon(self, sequences: list[int]) -> None:
        for ext_seq in sequences:
            del self._missing[ext_seq]
        self.abandoned += len(sequences)


def _interval_s(rtt_s: float, times: float) -> float:
    """How long to wait after asking so many times."""
    interval_s: float = rtt_s * BACKOFF ** (times - 1)
    if interval_s < MIN_INTERVAL_S:
        return MIN_INTERVAL_S
    return interval_s if interval_s < MAX_INTERVAL_S else MAX_INTERVAL_S
