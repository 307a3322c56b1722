"""Fault plan 35, 36 and 109: counters and clocks that jump, run backwards or wrap."""

import pytest

from sfu.rtp import ntp, twcc
from sfu.rtp.extensions import abs_send_time, abs_send_time_s
from sfu.rtp.sequence import extend, extend32

ERA_1_S = 2_085_978_496
"""Unix seconds of the NTP wrap on 7 February 2036."""


@pytest.mark.parametrize("jump", [1, -1, 100, -100, 3000, -3000, 32_767, 32_768, -32_767])
@pytest.mark.parametrize("start", [0, 65_535, 65_536, 1 << 40])
def test_35_sequence_jumps(start: int, jump: int) -> None:
    assert extend(start, start + jump & 0xFFFF) == start + jump


@pytest.mark.parametrize("jump", [0, 960, -960, 90_000 * 3600, (1 << 31), -(1 << 31) + 1])
@pytest.mark.parametrize("start", [0, (1 << 32) - 1, 1 << 50])
def test_36_timestamp_jumps(start: int, jump: int) -> None:
    assert extend32(start, start + jump & 0xFFFFFFFF) == start + jump


def test_109_a_day_of_video_and_of_audio() -> None:
    for step in (90_000, 48_000):
        at = 0
        for _ in range(3600 * 26):
            at = extend32(at, at + step & 0xFFFFFFFF)
        assert at == step * 3600 * 26


def test_109_ntp_in_2036() -> None:
    before, after = ntp.from_unix(ERA_1_S - 0.5), ntp.from_unix(ERA_1_S + 0.5)
    assert after < before < 1 << 64
    assert ntp.to_unix(after) - ntp.to_unix(before) == 1
    assert ntp.round_trip_s(ntp.middle(after), ntp.middle(before), 0x8000) == 0.5


def test_109_send_time_every_64_seconds() -> None:
    before, after = abs_send_time(63.75), abs_send_time(64.25)
    assert after < before
    assert abs_send_time_s((after - before) & 0xFFFFFF) == 0.5


def test_109_feedback_reference_time_after_twelve_days() -> None:
    wrap_us = (1 << 24) * 64_000
    near_us = wrap_us - 1_000_000
    for step in range(20):
        at_us = wrap_us - 500_000 + 50_000 * step
        (packet,) = twcc.build_feedback(1, 2, [(step, at_us)], step)
        ((sequence, near),) = twcc.parse_feedback(packet, near_us)
        assert (sequence, near) == (step, at_us)
        near_us = near or near_us
