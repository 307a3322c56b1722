"""One received SSRC: numbers extended past their wrap, duplicates refused, and what RTCP must report of it.

Follows RFC 3550 appendices A.1 (sequence validation), A.3 (loss) and A.8 (jitter), with a memory of the holes among the
newest packets in front so that a duplicate is never counted or forwarded.
"""

from typing import NamedTuple

from sfu.compiled.streams import HIGHEST, JITTER, TIMESTAMP, TIMESTAMP_AT, advance
from sfu.rtp import ntp
from sfu.rtp.rtcp import ReportBlock
from sfu.streams.columns import StreamRows
from sfu.streams.nack import NackRegister

MAX_DROPOUT = 3000
"""Largest forward gap taken as loss; a longer jump must be confirmed by the next packet (RFC 3550 A.1)."""
WINDOW = 1024
"""How far behind the newest packet a late one is still taken; as deep as the packet history."""

_FIRST_CYCLE = 1 << 16  # packets from before the first one keep positive numbers


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
        "_rows",
        "_start",
        "_suspect",
        "clock_rate",
        "duplicates",
        "nacks",
        "recovered",
        "rejected",
        "restarts",
        "row",
        "sender_clock",
    )

    def __init__(
        self, clock_rate: int, rows: StreamRows | None = None, nacks: NackRegister | None = None
    ) -> None:
        """Takes one of ``rows``; without any, the stream has rows of its own."""
        self.clock_rate = clock_rate
        self.nacks = nacks
        """Is told of what does not come in order, if there is one."""
        self._rows = StreamRows() if rows is None else rows
        self.row = self._rows.begin(clock_rate)
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
        self._suspect = (
            -1,
            -1,
        )  # the sequence number that would confirm a jump, as long as this is the highest
        self._expected_prior = 0
        self._packets_prior = 0

    def release(self) -> None:
        """Give the row back; nothing may be asked of the stream any more."""
        self._rows.word[self.row, HIGHEST] = -1
        self._rows.release(self.row)

    @property
    def highest(self) -> int:
        """Extended sequence number of the newest packet; -1 before the first."""
        highest: int = self._rows.word[self.row, HIGHEST]
        return highest

    @property
    def timestamp(self) -> int:
        """Extended timestamp of the newest packet."""
        timestamp: int = self._rows.word[self.row, TIMESTAMP]
        return timestamp

    @property
    def jitter(self) -> float:
        """Clock ticks."""
        jitter: float = self._rows.real[self.row, JITTER]
        return jitter

    def receive(self, seq16: int, timestamp32: int, now: float) -> int:
        """Count one packet and return its extended sequence number.

        -1 for a packet that must not be forwarded: a duplicate, one too old, or an unconfirmed jump.
        """
        highest = self.highest
        delta = (seq16 - highest) & 0xFFFF
        if highest < 0:
            return self._begin(seq16, timestamp32, now)
        if delta == 1:
            extended = highest + 1
        elif 0 < delta <= MAX_DROPOUT:
            extended = highest + delta
            self._absent += delta - 1
            self._skip(max(highest + 1, extended - WINDOW + 1), extended)
            self._tell(extended, now)
        else:
            behind = -delta & 0xFFFF
            if behind >= WINDOW:
                return self._jump(seq16, timestamp32, now)
            return self._late(highest - behind, now)
        rows = self._rows
        advance(rows.words, rows.reals, self.row, extended, timestamp32, now)
        return extended

    def recover(self, seq16: int, now: float = 0.0) -> int:
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
        self._tell(extended, now)
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

    def report(self, ssrc: int, now: float) -> ReportBlock:
        """The report block to send now; the fraction covers the time since the previous call."""
        highest, expected = self.highest, self._expected
        packets = expected - self._absent
        due = expected - self._expected_prior
        lost = due - (packets - self._packets_prior)
        self._expected_prior, self._packets_prior = expected, packets
        fraction = min(255, (lost << 8) // due) if due > 0 and lost > 0 else 0
        highest32 = (highest - _FIRST_CYCLE) & 0xFFFFFFFF if highest >= 0 else 0
        jitter = min(0xFFFFFFFF, int(self.jitter))
        clock = self.sender_clock
        if clock is None:
            return ReportBlock(ssrc, fraction, self._absent, highest32, jitter, 0, 0)
        delay = ntp.to_units(now - clock.arrived_at)
        return ReportBlock(ssrc, fraction, self._absent, highest32, jitter, ntp.middle(clock.ntp64), delay)

    @property
    def _expected(self) -> int:
        return self.highest - self._base + 1 if self.highest >= 0 else 0

    def _begin(self, seq16: int, timestamp32: int, now: float) -> int:
        word, row = self._rows.word, self.row
        word[row, HIGHEST] = self._base = self._start = _FIRST_CYCLE + seq16
        word[row, TIMESTAMP] = (1 << 32) + timestamp32
        self._rows.real[row, TIMESTAMP_AT] = now
        return self._start

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

    def _tell(self, extended: int, now: float) -> None:
        """A packet came that does not follow the newest one."""
        if self.nacks is not None:
            self.nacks.follow(self.highest)
            self.nacks.received(extended, now)

    def _late(self, extended: int, now: float) -> int:
        if not self._arrive(extended):
            self.duplicates += 1
            if extended in self._repaired:  # it was only late after all
                self._repaired.discard(extended)
                self._absent -= 1
            return -1
        self._suspect = (-1, -1)
        self._absent -= 1
        self._tell(extended, now)
        return extended

    def _jump(self, seq16: int, timestamp32: int, now: float) -> int:
        highest = self.highest
        if self._suspect != (seq16, highest):
            self._suspect = (seq16 + 1) & 0xFFFF, highest
            self.rejected += 1
            return -1
        distance = (seq16 - highest) & 0xFFFF  # always forward, so numbers never repeat
        self._start = highest + distance
        self._base += distance - 1  # the jump itself is no loss
        self._odd.clear()
        self._suspect = (-1, -1)
        word, row = self._rows.word, self.row
        word[row, TIMESTAMP] = self.extend_timestamp(timestamp32)
        self._rows.real[row, TIMESTAMP_AT] = now
        self._tell(self._start, now)
        word[row, HIGHEST] = self._start
        self.restarts += 1
        return self._start
