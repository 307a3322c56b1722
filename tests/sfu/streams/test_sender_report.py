"""Sender reports to subscribers and round trips (faults 56 and 57: reports that lie)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.streams.receive import SenderReport
from sfu.streams.sender_report import (
    PublisherClock,
    SenderReports,
    ntp_difference_s,
    rtt_from_report,
    to_ntp64,
)

VIDEO, AUDIO = 90_000, 48_000
EPOCH_S = 3_900_000_000.0  # publisher's NTP clock at server time 0


def sr(at: float, rtp: int, delay_s: float = 0.05, epoch_s: float = EPOCH_S) -> SenderReport:
    """A report that the publisher sends at ``at`` on the server's clock."""
    return SenderReport(to_ntp64(epoch_s + at), rtp & 0xFFFFFFFF, at + delay_s)


def signed(ticks: int) -> int:
    return ((ticks + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def test_ntp_times_keep_fractions_and_differ_across_the_wrap():
    assert to_ntp64(1.5) == 3 << 31
    assert ntp_difference_s(to_ntp64(10.25), to_ntp64(10.0)) == 0.25
    assert ntp_difference_s(1 << 31, (1 << 64) - (1 << 31)) == 1.0
    assert ntp_difference_s((1 << 64) - (1 << 31), 1 << 31) == -1.0


def test_a_round_trip_is_what_the_delay_leaves():
    assert rtt_from_report(0x0003_0000, 0x0001_0000, 0x0001_8000) == 0.5
    assert rtt_from_report(0x0000_8000, 0xFFFF_0000, 0x0001_0000) == 0.5


@pytest.mark.parametrize(
    ("now", "lsr", "dlsr"),
    [
        (0x10000, 0, 0),
        (0x10000, 0x10000, 0x10000),
        (0x10000, 0x20000, 0),
        (0xFFFF0000, 0x10000, 0),
        (0x10000, 0x10000, 0xFFFF_0000),
        (65536 * 20, 65536, 0),
    ],
)
def test_an_impossible_round_trip_is_refused(now: int, lsr: int, dlsr: int):
    assert rtt_from_report(now, lsr, dlsr) is None


def test_rounding_may_make_it_slightly_negative():
    assert rtt_from_report(0x10000, 0x10000, 3) == 0.0


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_a_round_trip_is_never_negative_nor_long(now: int, lsr: int, dlsr: int):
    rtt_s = rtt_from_report(now, lsr, dlsr)
    assert rtt_s is None or 0 <= rtt_s <= 10


def test_audio_and_video_keep_the_publishers_relation():
    """The same captured instant must come out on the same server time, whatever the two streams' delays."""
    clock = PublisherClock()
    audio_sr, video_sr = sr(1.0, 48_000, 0.02), sr(1.4, 1_000_000, 0.09)
    clock.observe(audio_sr)
    clock.observe(video_sr)
    audio = SenderReports(AUDIO).timestamp(2.0, 90_000, 1.95, audio_sr, clock, 5000)
    video = SenderReports(VIDEO).timestamp(2.0, 900_000, 1.7, video_sr, clock, 77)
    assert audio is not None
    assert video is not None
    audio_captured = 1.0 + (audio + 5000 - 48_000) / AUDIO
    video_captured = 1.4 + (video + 77 - 1_000_000) / VIDEO
    assert audio_captured == pytest.approx(video_captured, abs=0.001)


def test_before_the_publishers_first_report_the_newest_packet_stands_in():
    assert SenderReports(VIDEO).timestamp(2.0, 900_000, 1.9, None, PublisherClock(), 0) == 909_000


def test_an_old_report_is_not_carried_over():
    clock, old = PublisherClock(), sr(0.0, 0)
    clock.observe(old)
    assert SenderReports(VIDEO).timestamp(100.0, 1000, 100.0, old, clock, 0) == 1000


@pytest.mark.parametrize("lie", [sr(1.0, 1 << 31), sr(1.0, 90_000 * 60), sr(1.0, 0, epoch_s=0.0)])
def test_a_report_that_contradicts_the_packets_is_not_believed(lie: SenderReport):
    clock, honest = PublisherClock(), sr(0.5, 900_000)
    clock.observe(honest)
    clock.observe(lie)
    rtp = SenderReports(VIDEO).timestamp(2.0, 1_000_000, 1.9, lie, clock, 0)
    assert rtp is not None
    assert abs(rtp - 1_009_000) <= 5 * VIDEO


def test_it_never_goes_backwards():
    reports, clock = SenderReports(VIDEO), PublisherClock()
    assert reports.timestamp(1.0, 90_000, 1.0, None, clock, 0) == 90_000
    late = sr(1.0, 80_000)
    clock.observe(late)
    assert reports.timestamp(1.05, 90_000, 1.0, late, clock, 0) is None
    assert reports.timestamp(2.0, 180_000, 2.0, late, clock, 0) == 80_000 + round(0.95 * VIDEO)


def test_a_clock_that_was_wrong_for_long_does_not_silence_it():
    reports, clock = SenderReports(VIDEO), PublisherClock()
    assert reports.timestamp(1.0, 90_000_000, 1.0, None, clock, 0) is not None
    assert reports.timestamp(4.0, 90_000, 4.0, None, clock, 0) == 90_000


def test_the_first_reports_come_soon():
    reports = SenderReports(VIDEO)
    sent = []
    for tick in range(1000):
        now = tick / 100
        if reports.due(now):
            sent.append(now)
            reports.timestamp(now, 0, now, None, PublisherClock(), 0)
            assert reports.settled == (len(sent) >= 3)
    assert sent == pytest.approx([0.1, 0.5, 1.5, 4.0, 6.5, 9.0], abs=0.011)


def test_the_publishers_clock_is_followed_slowly_and_set_when_it_jumps():
    clock = PublisherClock()
    clock.observe(sr(0.0, 0, 0.05))
    at = clock.at(to_ntp64(EPOCH_S + 10))
    assert at == pytest.approx(10.05)
    clock.observe(sr(1.0, 0, 0.25))
    assert clock.at(to_ntp64(EPOCH_S + 10)) == pytest.approx(10.05 + 0.2 / 32)
    clock.observe(sr(2.0, 0, 0.05, epoch_s=1000.0))
    assert clock.at(to_ntp64(1010.0)) == pytest.approx(10.05)


@given(
    st.lists(
        st.tuples(st.floats(0.1, 5), st.integers(0, 0xFFFFFFFFFFFFFFFF), st.integers(0, 0xFFFFFFFF)),
        max_size=50,
    )
)
def test_whatever_a_publisher_reports_ours_go_forward_near_the_packets(script: list[tuple[float, int, int]]):
    reports, clock = SenderReports(VIDEO), PublisherClock()
    now, previous = 0.0, None
    for step_s, ntp64, rtp in script:
        now += step_s
        source = SenderReport(ntp64, rtp, now)
        clock.observe(source)
        sent = round(now * VIDEO)
        out = reports.timestamp(now, sent, now, source, clock, 0)
        if out is not None:
            assert abs(signed(out - sent)) <= 5 * VIDEO
            assert previous is None or signed(out - previous) >= 0
            previous = out
