"""One run of timestamps towards a subscriber, whatever layer it is fed from.

Each simulcast layer counts from its own random timestamp. Their sender reports say how the counts relate
(LiveKit's method); where a publisher sends none for a layer, the layers' fastest packets do, since they
travel the same way. The first layer forwarded is the reference for all switches, until a pause starts anew.
"""

from math import inf
from typing import NamedTuple

from sfu.compiled.frames import CLOCK_RATE, FASTEST, FASTEST_BEFORE, FIRST_AT, observe
from sfu.streams.columns import FrameRows, Row
from sfu.streams.receive import SenderReport
from sfu.streams.sender_report import ntp_difference_s

GRACE_S = 1.0
"""How long a layer may run before its missing sender report is no longer waited for."""
MAX_DISAGREEMENT_S = 1.0
"""Sender reports that contradict the packets' arrival by more are not believed."""
MAX_BEHIND_S = 0.05
"""A switch that would go back further is refused (LiveKit) ..."""
MAX_REFUSALS = 1
"""... this many times, then it goes on at the next tick (mediasoup)."""
MAX_JUMP_S = 10.0
MAX_PAUSE_SKEW_S = 2.0
"""After a pause the media clock may lag real time by this before real time is taken."""
MAX_MUTE_SKEW_S = 0.2
"""The same after a mute, when many encoders stop counting."""


class Alignment(NamedTuple):
    """How one layer's timestamps relate to another's."""

    ticks: int
    """What to add to the layer's timestamp to get the reference's, modulo 2^32."""
    exact: bool
    """From sender reports, not estimated from arrivals."""


class LayerClock:
    """The timestamps of one layer against publisher's and server's time."""

    __slots__ = ("_row", "clock_rate", "report")

    def __init__(self, clock_rate: int, row: Row | None = None) -> None:
        """Takes what is its own of a row of frames; without any, it has one to itself."""
        self._row = Row(FrameRows()) if row is None else row
        self.clock_rate = clock_rate
        self.report: SenderReport | None = None
        """Newest sender report, set by the owner."""
        real, number = self._row.rows.real, self._row.number
        for column in (FIRST_AT, FASTEST, FASTEST_BEFORE):
            real[number, column] = inf
        real[number, CLOCK_RATE] = clock_rate

    def observe(self, timestamp: int, now: float) -> None:
        """Take a frame's extended timestamp as its first packet arrives."""
        observe(self._row.rows.reals, self._row.number, timestamp, now)

    @property
    def first_at(self) -> float:
        """When the first frame came; inf before."""
        at: float = self._row.rows.real[self._row.number, FIRST_AT]
        return at

    @property
    def transit_s(self) -> float | None:
        """Arrival minus media time of the fastest recent packet; only differences mean anything."""
        real, row = self._row.rows.real, self._row.number
        return min(real[row, FASTEST], real[row, FASTEST_BEFORE]) if self.first_at != inf else None


def offset_between(reference: LayerClock, layer: LayerClock, now: float) -> Alignment | None:
    """How to turn the layer's timestamps into the reference's; None while that isn't known yet."""
    if reference is layer:
        return Alignment(0, True)
    rate = reference.clock_rate
    estimated: int | None = None
    if reference.transit_s is not None and layer.transit_s is not None:
        estimated = round((layer.transit_s - reference.transit_s) * rate)
    if reference.report is not None and layer.report is not None:
        apart_s = ntp_difference_s(reference.report.ntp64, layer.report.ntp64)
        ticks = reference.report.rtp - (layer.report.rtp + round(apart_s * rate))
        if estimated is None or abs(_signed32(ticks - estimated)) <= MAX_DISAGREEMENT_S * rate:
            return Alignment(ticks & 0xFFFFFFFF, True)
    elif now - layer.first_at < GRACE_S:
        return None
    return Alignment(estimated & 0xFFFFFFFF, False) if estimated is not None else None


class Timeline:
    """The outgoing timestamps of one down track. All timestamps here are 32-bit."""

    __slots__ = ("_base", "_base_at", "_clock_rate", "_offset", "_reference", "_refused")

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._reference: LayerClock | None = None
        self._offset = 0  # out - reference
        self._base = 0  # a timestamp sent ...
        self._base_at = 0.0  # ... and when
        self._refused = 0

    @property
    def started(self) -> bool:
        return self._reference is not None

    def start(self, layer: LayerClock, timestamp: int, out: int, now: float) -> None:
        """The first packet ever goes out with ``out``; its layer becomes the reference."""
        self._refer(layer, out - timestamp, out, now)

    def switch(self, layer: LayerClock, timestamp: int, last_out: int, now: float) -> int | None:
        """The timestamp that a switch to ``layer`` goes out with, given the newest one sent.

        None if it can't be made at this packet: drop it, ask for another key frame and try at that.
        """
        assert self._reference is not None, "nothing sent yet"
        alignment = offset_between(self._reference, layer, now)
        if alignment is None:
            return None
        rate = self._clock_rate
        step = _signed32(timestamp + alignment.ticks + self._offset - last_out)
        if step < -MAX_BEHIND_S * rate and self._refused < MAX_REFUSALS:
            self._refused += 1
            return None
        self._refused = 0
        if abs(step) > MAX_JUMP_S * rate:  # no clock that can be believed: real time is what's left
            out = self._after(last_out, self._expected(now))
            self._refer(layer, out - timestamp, out, now)
            return out
        return (last_out + max(step, 1)) & 0xFFFFFFFF

    def resume(
        self, layer: LayerClock, timestamp: int, last_out: int, now: float, muted: bool = False
    ) -> int:
        """The timestamp of the first packet after a pause; ``muted`` if it was the publisher who paused."""
        assert self._reference is not None, "nothing sent yet"
        expected = self._expected(now)
        alignment = offset_between(self._reference, layer, now)
        out = expected
        if alignment is not None:
            aligned = timestamp + alignment.ticks + self._offset
            lag_s = _signed32(expected - aligned) / self._clock_rate
            if -MAX_JUMP_S <= lag_s <= (MAX_MUTE_SKEW_S if muted else MAX_PAUSE_SKEW_S):
                out = aligned
        out = self._after(last_out, out)
        self._refused = 0
        self._refer(layer, out - timestamp, out, now)
        return out

    def _expected(self, now: float) -> int:
        return self._base + round((now - self._base_at) * self._clock_rate)

    def _after(self, last_out: int, out: int) -> int:
        """``out``, but at least a tick past what was sent."""
        return (last_out + max(_signed32(out - last_out), 1)) & 0xFFFFFFFF

    def _refer(self, layer: LayerClock, offset: int, out: int, now: float) -> None:
        self._reference = layer
        self._offset = offset & 0xFFFFFFFF
        self._base, self._base_at = out, now


def _signed32(ticks: int) -> int:
    return ((ticks + 0x80000000) & 0xFFFFFFFF) - 0x80000000
