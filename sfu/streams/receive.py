"""One received SSRC: numbers extended past their wrap, duplicates refused, and what RTCP must report of it.

Follows RFC 3550 appendices A.1 (sequence validation), A.3 (loss) and A.8 (jitter), with a memory of the holes among the
newest packets in front so that a duplicate is never counted or forwarded.
"""

from typing import NamedTuple

MAX_DROPOUT = 3000
"""Largest forward gap taken as loss; a longer jump must be confirmed by the next packet (RFC 3550 A.1)."""
WINDOW = 1024
"""How far behind the newest packet a late one is still taken; as deep as the packet history."""
MAX_TRANSIT_STEP_S = 5.0
"""A transit change above this is a clock that jumped, not jitter."""

_FIRST_CYCLE = 1 << 16  # packets from before the first one keep positive numbers


class ReportFields(NamedTuple):
    """The numbers of one RTCP report block (RFC 3550 section 6.4.1)."""

    fraction: int
    """Lost since the last report, in 1/256."""
    cumulative: int
    """Lost since the start, clamped to a signed 24-bit number."""
    highest32: int
    """Sequence cycles in the upper half, highest sequence number in the lower."""
    jitter: int
    """Interarrival jitter in clock ticks."""
    lsr: int
    """Middle 32 bits of the last sender report's NTP time, 0 without one."""
    dlsr: int
    """Delay since that report in 1/65536 s."""


class SenderReport(NamedTuple):
    """The clock pair of a publisher's RTCP sender report, and when it came."""

    ntp64: int
    rtp: int
    arrived_at: float


class ReceiveStream:
    """Receiving state of one SSRC. The caller gives 16- and 32-bit wire numbers and a monotonic ``now``."""

    __slots__ = (
        "_absent",
        "_base",
        "_expected_prior",
        "_odd",
        "_packets_prior",
        "_repaired",
        "_start",
        "_suspect",
        "_timestamp_at",
        "clock_rate",
        "duplicates",
        "highest",
        "jitter",
        "recovered",
        "rejected",
        "restarts",
        "sender_clock",
        "timestamp",
    )

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.highest = -1
        """Extended sequence number of the newest packet; -1 before the first."""
        self.timestamp = 0
        """Extended timestamp of the newest packet."""
        self.jitter = 0.0
        """Clock ticks."""
        self.recovered = 0
        """Packets that a retransmission brought; they stay lost in reports unless they come late themselves.
        """
        self.duplicates = 0
        self.rejected = 0
        """Packets refused as too old or as an unconfirmed jump."""
        self.restarts = 0
        """Confirmed jumps. After one, what was forwarded before has no numeric relation to what follows."""
        self.sender_clock: SenderReport | None = None
        self._absent = 0  # expected, less those that came
        self._base = 0
        self._start = 0  # the number that the stream began (again) with
        self._odd: set[int] = set()  # numbers since then that have not arrived, and those before that have
        self._repaired: set[int] = set()  # of the window, brought by a retransmission so far
        self._suspect = -1  # the sequence number that would confirm a jump
        self._timestamp_at = 0.0
        self._expected_prior = 0
        self._packets_prior = 0

    def receive(self, seq16: int, timestamp32: int, now: float) -> int:
        """Count one packet and return its extended sequence number.

        -1 for a packet that must not be forwarded: a duplicate, one too old, or an unconfirmed jump.
        """
        highest = self.highest
        delta = (seq16 - highest) & 0xFFFF
        if highest < 0:
            return self._begin(seq16, timestamp32, now)
        if delta == 1:
            self.highest = extended = highest + 1
        elif 0 < delta <= MAX_DROPOUT:
            self.highest = extended = highest + delta
            self._absent += delta - 1
            self._skip(max(highest + 1, extended - WINDOW + 1), extended)
        else:
            behind = -delta & 0xFFFF
            if behind >= WINDOW:
                return self._jump(seq16, timestamp32, now)
            return self._late(highest - behind)
        step = (timestamp32 - self.timestamp) & 0xFFFFFFFF
        if step:  # the first packet of a frame: the rest of it says only how it was paced
            self._clock(step if step < 0x80000000 else step - 0x100000000, now)
        self._suspect = -1
        return extended

    def recover(self, seq16: int) -> int:
        """Take a packet that a retransmission stream brought back; as :meth:`receive`, but no jump, no
        statistics.
        """
        highest = self.highest
        extended = highest - (highest - seq16 & 0xFFFF)
        if highest < 0 or extended <= highest - WINDOW:
            self.rejected += 1
            return -1
        if not self._arrive(extended):
            self.duplicates += 1
            return -1
        self.recovered += 1
        if len(self._repaired) >= WINDOW:
            self._repaired = {number for number in self._repaired if number > highest - WINDOW}
        self._repaired.add(extended)
        return extended

    def extend_timestamp(self, timestamp32: int) -> int:
        """The timestamp without wrap, taken within 2^31 ticks of the newest packet's."""
        newest = self.timestamp
        return newest + ((timestamp32 - newest + 0x80000000) & 0xFFFFFFFF) - 0x80000000

    @property
    def lost(self) -> int:
        """Packets that never came (retransmissions don't heal it), never negative."""
        return max(0, self._absent)

    @property
    def packets(self) -> int:
        """Packets that came, retransmissions left out."""
        return self._expected - self._absent

    def sender_report(self, ntp64: int, rtp: int, now: float) -> bool:
        """Keep a publisher's sender report. False for one without a clock, or older than the one kept."""
        last = self.sender_clock
        if ntp64 == 0:
            return False
        if last is not None and ntp64 <= last.ntp64:
            # A wall clock may be set back, the media clock may not: both behind means reordered.
            behind = ((rtp - last.rtp + 0x80000000) & 0xFFFFFFFF) <= 0x80000000
            if behind:
                return False
        self.sender_clock = SenderReport(ntp64, rtp, now)
        return True

    def report(self, now: float) -> ReportFields:
        """The report block to send now; the fraction covers the time since the previous call."""
        expected, packets = self._expected, self.packets
        due = expected - self._expected_prior
        lost = due - (packets - self._packets_prior)
        self._expected_prior, self._packets_prior = expected, packets
        fraction = min(255, (lost << 8) // due) if due > 0 and lost > 0 else 0
        cumulative = max(-0x800000, min(0x7FFFFF, expected - packets))
        highest32 = (self.highest - _FIRST_CYCLE) & 0xFFFFFFFF if self.highest >= 0 else 0
        lsr = dlsr = 0
        if self.sender_clock is not None:
            lsr = self.sender_clock.ntp64 >> 16 & 0xFFFFFFFF
            dlsr = max(0, min(0xFFFFFFFF, int((now - self.sender_clock.arrived_at) * 65536)))
        return ReportFields(fraction, cumulative, highest32, min(0xFFFFFFFF, int(self.jitter)), lsr, dlsr)

    @property
    def _expected(self) -> int:
        return self.highest - self._base + 1 if self.highest >= 0 else 0

    def _begin(self, seq16: int, timestamp32: int, now: float) -> int:
        self.highest = self._base = _FIRST_CYCLE + seq16
        self.timestamp = (1 << 32) + timestamp32
        self._timestamp_at = now
        self._start = self.highest
        return self.highest

    def _skip(self, first: int, end: int) -> None:
        """The numbers from ``first`` up to ``end`` have not arrived."""
        odd = self._odd
        odd.update(range(first, end))
        if len(odd) > WINDOW:
            self._odd = {number for number in odd if number > end - WINDOW}

    def _arrive(self, extended: int) -> bool:
        """Note one of the window; False if it has been there before."""
        odd = self._odd
        if extended in odd:
            if extended < self._start:
                return False
            odd.discard(extended)
            return True
        if extended >= self._start:
            return False
        odd.add(extended)
        return True

    def _late(self, extended: int) -> int:
        if not self._arrive(extended):
            self.duplicates += 1
            if extended in self._repaired:  # it was only late after all
                self._repaired.discard(extended)
                self._absent -= 1
            return -1
        self._suspect = -1
        self._absent -= 1
        return extended

    def _jump(self, seq16: int, timestamp32: int, now: float) -> int:
        if seq16 != self._suspect:
            self._suspect = (seq16 + 1) & 0xFFFF
            self.rejected += 1
            return -1
        distance = (seq16 - self.highest) & 0xFFFF  # always forward, so numbers never repeat
        self.highest += distance
        self._base += distance - 1  # the jump itself is no loss
        self._start = self.highest
        self._odd.clear()
        self._suspect = -1
        self.timestamp = self.extend_timestamp(timestamp32)
        self._timestamp_at = now
        self.restarts += 1
        return self.highest

    def _clock(self, step: int, now: float) -> None:
        rate = self.clock_rate
        change = (now - self._timestamp_at) * rate - step
        if change < 0:
            change = -change
        if change < MAX_TRANSIT_STEP_S * rate:
            self.jitter += (change - self.jitter) / 16
        self.timestamp += step
        self._timestamp_at = now
