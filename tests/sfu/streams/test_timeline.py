"""Timestamps across layer switches and pauses (invariant 2; faults 36 and 52)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.streams.receive import SenderReport
from sfu.streams.sender_report import to_ntp64
from sfu.streams.timeline import Alignment, LayerClock, Timeline, offset_between

RATE = 90_000
EPOCH_S = 3_900_000_000.0


class Layer:
    """A simulcast layer that stamps server time 0 with ``origin``, sent with a delay."""

    def __init__(self, origin: int, delay_s: float = 0.03, drift: float = 1.0) -> None:
        self.clock = LayerClock(RATE)
        self.origin = origin
        self.delay_s = delay_s
        self.drift = drift

    def stamp(self, captured_at: float) -> int:
        return self.origin + round(captured_at * RATE * self.drift)

    def frames(self, start: float, end: float, fps: int = 30) -> None:
        for n in range(int((end - start) * fps)):
            at = start + n / fps
            self.clock.observe(self.stamp(at), at + self.delay_s + (0.02 if n % 3 else 0.0))

    def report(self, at: float) -> None:
        self.clock.report = SenderReport(
            to_ntp64(EPOCH_S + at), self.stamp(at) & 0xFFFFFFFF, at + self.delay_s
        )


def signed(ticks: int) -> int:
    return ((ticks + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def test_with_reports_the_offset_is_exact_whatever_the_delays():
    low, high = Layer(1000), Layer(3_000_000_000, delay_s=0.3)
    for layer in (low, high):
        layer.frames(0.0, 3.0)
    low.report(1.0)
    high.report(2.5)
    alignment = offset_between(low.clock, high.clock, 3.0)
    assert alignment is not None
    assert alignment.exact
    assert abs(signed(high.stamp(2.9) + alignment.ticks - low.stamp(2.9))) <= 1


def test_a_layer_is_its_own_reference():
    layer = Layer(1000)
    assert offset_between(layer.clock, layer.clock, 0.0) == Alignment(0, True)


def test_without_a_report_it_waits_and_then_estimates_from_arrivals():
    low, high = Layer(1000), Layer(3_000_000_000, delay_s=0.05)
    low.frames(0.0, 3.0)
    low.report(1.0)
    high.frames(1.5, 3.0)
    assert offset_between(low.clock, high.clock, 2.4) is None
    alignment = offset_between(low.clock, high.clock, 2.6)
    assert alignment is not None
    assert not alignment.exact
    error = signed(high.stamp(2.0) + alignment.ticks - low.stamp(2.0))
    assert abs(error) <= 0.021 * RATE, "as good as the difference of the layers' delays"


def test_a_layer_never_seen_has_no_offset():
    low, high = Layer(1000), Layer(5)
    low.frames(0.0, 3.0)
    assert offset_between(low.clock, high.clock, 100.0) is None


@pytest.mark.parametrize(
    "lie",
    [
        SenderReport(to_ntp64(EPOCH_S + 2), 12345, 2.0),
        SenderReport(0xFFFFFFFF_00000000, 900_000_000, 2.0),
        SenderReport(1, 0, 2.0),
    ],
)
def test_a_report_against_all_evidence_is_not_believed(lie: SenderReport):
    low, high = Layer(1000), Layer(900_000_000)
    for layer in (low, high):
        layer.frames(0.0, 3.0)
    low.report(2.0)
    high.clock.report = lie
    alignment = offset_between(low.clock, high.clock, 3.0)
    assert alignment is not None
    assert not alignment.exact
    assert abs(signed(high.stamp(2.0) + alignment.ticks - low.stamp(2.0))) <= 0.05 * RATE


def test_layers_that_drift_apart_by_a_percent_follow_their_newest_reports():
    low, high = Layer(1000), Layer(900_000_000, drift=1.01)
    for layer in (low, high):
        layer.frames(0.0, 30.0)
        layer.report(30.0)
    alignment = offset_between(low.clock, high.clock, 30.1)
    assert alignment is not None
    assert abs(signed(high.stamp(30.1) + alignment.ticks - low.stamp(30.1))) <= 0.002 * RATE


def running() -> tuple[Timeline, Layer, Layer]:
    """A track fed by ``low`` for three seconds, sent with timestamp 500 000 at media time 0."""
    low, high = Layer(1000), Layer(0xFFFF0000)
    for layer in (low, high):
        layer.frames(0.0, 3.0)
        layer.report(2.0)
    timeline = Timeline(RATE)
    assert not timeline.started
    timeline.start(low.clock, low.stamp(0.0), 500_000, 0.03)
    assert timeline.started
    return timeline, low, high


def test_a_switch_keeps_media_time():
    timeline, _, high = running()
    last = 500_000 + round(2.9 * RATE)
    out = timeline.switch(high.clock, high.stamp(3.0) & 0xFFFFFFFF, last, 3.03)
    assert out is not None
    assert abs(out - (500_000 + 3 * RATE)) <= 1


def test_a_switch_back_and_forth_adds_no_skew():
    timeline, low, high = running()
    last = 500_000 + round(2.9 * RATE)
    for n in range(1, 200):
        layer = high if n % 2 else low
        at = 2.9 + n / 10
        out = timeline.switch(layer.clock, layer.stamp(at) & 0xFFFFFFFF, last, at + 0.03)
        assert out is not None
        last = out
    assert abs(last - (500_000 + round((2.9 + 19.9) * RATE))) <= 2


def test_the_same_frame_of_another_layer_goes_a_tick_further():
    timeline, _, high = running()
    last = 500_000 + 3 * RATE
    out = timeline.switch(high.clock, high.stamp(2.99) & 0xFFFFFFFF, last, 3.03)
    assert out == last + 1


def test_a_switch_too_far_back_is_refused_once():
    timeline, _, high = running()
    last = 500_000 + 3 * RATE
    stamp = high.stamp(2.9) & 0xFFFFFFFF
    assert timeline.switch(high.clock, stamp, last, 3.03) is None
    assert timeline.switch(high.clock, stamp, last, 3.5) == last + 1


def test_a_switch_without_any_relation_waits():
    timeline, _, _ = running()
    assert timeline.switch(LayerClock(RATE), 0, 500_000, 3.0) is None


def test_a_timestamp_out_of_this_world_goes_by_real_time():
    timeline, _, high = running()
    last = 500_000 + round(2.9 * RATE)
    out = timeline.switch(high.clock, (high.stamp(3.0) + 3600 * RATE) & 0xFFFFFFFF, last, 3.03)
    assert out is not None
    assert abs(out - (500_000 + 3 * RATE)) <= 1


def test_after_a_pause_media_time_goes_on():
    timeline, low, _ = running()
    out = timeline.resume(low.clock, low.stamp(60.0) & 0xFFFFFFFF, 500_000 + 3 * RATE, 60.5)
    assert out == 500_000 + 60 * RATE


def test_an_encoder_that_stopped_counting_is_moved_to_real_time():
    timeline, low, _ = running()
    last = 500_000 + 3 * RATE
    out = timeline.resume(low.clock, low.stamp(3.1) & 0xFFFFFFFF, last, 60.03)
    assert out == 500_000 + 60 * RATE


def test_after_a_mute_less_lag_is_allowed():
    timeline, low, _ = running()
    last = 500_000 + 3 * RATE
    stamp = low.stamp(5.0) & 0xFFFFFFFF
    assert timeline.resume(low.clock, stamp, last, 6.03) == 500_000 + 5 * RATE
    timeline, low, _ = running()
    assert timeline.resume(low.clock, stamp, last, 6.03, muted=True) == 500_000 + 6 * RATE


def test_after_a_pause_an_unknown_layer_may_start_and_is_then_the_reference():
    timeline, _, _ = running()
    last = 500_000 + 3 * RATE
    new = Layer(77)
    out = timeline.resume(new.clock, 77, last, 10.03)
    assert out == 500_000 + 10 * RATE
    assert timeline.switch(new.clock, 77 + RATE, out, 11.03) == out + RATE


@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.integers(0, 0xFFFFFFFF), st.floats(0, 100), st.booleans()),
        max_size=40,
    )
)
def test_whatever_the_layers_claim_timestamps_go_forward(
    script: list[tuple[bool, bool, int, float, bool]],
):
    timeline, low, high = running()
    last, now = 500_000, 3.0
    for use_high, pause, stamp, step_s, report in script:
        now += step_s
        layer = high if use_high else low
        layer.clock.observe(stamp, now)
        if report:
            layer.clock.report = SenderReport(stamp << 32 | 1, stamp, now)
        out = (
            timeline.resume(layer.clock, stamp, last, now)
            if pause
            else timeline.switch(layer.clock, stamp, last, now)
        )
        if out is not None:
            assert 0 <= out <= 0xFFFFFFFF
            assert signed(out - last) >= 1
            last = out
