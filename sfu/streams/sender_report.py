"""Sender reports towards subscribers, and round trips from what comes back (RFC 3550 section 6.4).

A subscriber plays two streams in step by their sender reports, so all streams of one publisher must be
reported on one clock. Each report pairs the server's time with the timestamp that the publisher would give
that instant, carried over from the publisher's own report (:class:`PublisherClock`). Before the publisher's
first report the newest forwarded packet stands in for it, off by how long that one took to encode and send.
"""

from math import inf

from sfu.streams.receive import SenderReport

INTERVALS_S = (0.100, 0.400, 1.0, 2.5)
"""From the first packet on: receivers need two reports before they can synchronise. The last repeats; where reports are
looked for once a second, that makes three."""
MAX_SKEW_S = 5.0
"""A publisher's report further than this from its packets is wrong."""
MAX_AGE_S = 30.0
"""A publisher's report older than this is no longer carried over."""
STEP_S = 1.0
"""A publisher's clock off by more was set; a smaller error is followed slowly."""
FOLLOW = 1 / 32
MAX_RTT_S = 10.0
MAX_DELAY_S = 60
"""A report answered later than this says nothing of now, and a delay near 2^32 would pass for negative."""
RTT_TOLERANCE = 64
"""Ticks of 1/65536 s that a round trip may come out negative by rounding."""


def to_ntp64(seconds: float) -> int:
    """Seconds since 1900 as a 64-bit NTP timestamp (RFC 5905 section 6)."""
    return int(seconds * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def ntp_difference_s(later: int, earlier: int) -> float:
    """Seconds between two 64-bit NTP timestamps, negative if the first is earlier, across the wrap too."""
    return (((later - earlier + (1 << 63)) & 0xFFFFFFFFFFFFFFFF) - (1 << 63)) / (1 << 32)


def rtt_from_report(now_ntp32: int, lsr: int, dlsr: int) -> float | None:
    """Round trip in seconds from a report block; ``now_ntp32`` is the middle of the NTP time of its arrival.

    None if it answers no report of ours or one long ago, or claims less than nothing or more than ten
    seconds.
    """
    if lsr == 0 or dlsr > MAX_DELAY_S * 65536:
        return None
    ticks = ((now_ntp32 - lsr - dlsr + 0x80000000) & 0xFFFFFFFF) - 0x80000000
    if not -RTT_TOLERANCE <= ticks <= MAX_RTT_S * 65536:
        return None
    return max(0, ticks) / 65536


class PublisherClock:
    """A publisher's NTP clock on the server's monotonic one; one for all streams of a publisher."""

    __slots__ = ("_at", "_ntp64")

    def __init__(self) -> None:
        self._ntp64 = 0
        self._at: float | None = None

    def observe(self, report: SenderReport) -> None:
        """Take a sender report of any of the publisher's streams."""
        if self._at is not None:
            error_s = report.arrived_at - self.at(report.ntp64)
            if abs(error_s) <= STEP_S:
                self._at += error_s * FOLLOW
                return
        self._ntp64, self._at = report.ntp64, report.arrived_at

    def at(self, ntp64: int) -> float:
        """When, on the server's clock, the publisher's clock showed this (and a packet then sent arrived)."""
        assert self._at is not None, "no report yet"
        return self._at + ntp_difference_s(ntp64, self._ntp64)


class SenderReports:
    """The sender reports of one down track: when they are due, and their RTP timestamp."""

    __slots__ = ("_clock_rate", "_due_at", "_last_rtp", "_sent")

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._due_at: float | None = None
        self._sent = 0
        self._last_rtp: int | None = None

    @property
    def due_at(self) -> float:
        """When to report next; infinity before :meth:`due` was asked."""
        return inf if self._due_at is None else self._due_at

    @property
    def settled(self) -> bool:
        """The first reports are out; those that follow may be late by a second."""
        return self._sent >= len(INTERVALS_S) - 1

    def due(self, now: float) -> bool:
        """Whether to report now; first asked when the first packet goes out."""
        if self._due_at is None:
            self._due_at = now + INTERVALS_S[0]
        return now >= self._due_at

    def timestamp(
        self,
        now: float,
        last_out: int,
        last_out_at: float,
        source: SenderReport | None,
        clock: PublisherClock,
        ts_offset: int,
    ) -> int | None:
        """The RTP timestamp to pair with the server's NTP time of ``now``; None to skip this report.

        ``last_out`` is the newest timestamp sent and ``last_out_at`` when; ``source`` the newest report of
        the layer now forwarded, already shown to ``clock``, whose timestamps go out as ``source -
        ts_offset``.
        """
        self._sent += 1
        self._due_at = now + INTERVALS_S[min(self._sent, len(INTERVALS_S) - 1)]
        rate = self._clock_rate
        rtp = last_out + round((now - last_out_at) * rate)
        if source is not None and now - source.arrived_at <= MAX_AGE_S:
            carried = source.rtp - ts_offset + round((now - clock.at(source.ntp64)) * rate)
            if abs(_signed32(carried - rtp)) <= MAX_SKEW_S * rate:
                rtp = carried
        rtp &= 0xFFFFFFFF
        if self._last_rtp is not None and -2 * MAX_SKEW_S * rate <= _signed32(rtp - self._last_rtp) < 0:
            return None  # a receiver takes a clock that runs backwards badly; the next one will be past it
        self._last_rtp = rtp
        return rtp


def _signed32(ticks: int) -> int:
    return ((ticks + 0x80000000) & 0xFFFFFFFF) - 0x80000000
