"""NTP time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.rtp import ntp

FEBRUARY_2036 = 2_085_978_496
"""Unix seconds at which the 64-bit form is 0 again."""


def test_a_known_stamp() -> None:
    assert ntp.from_unix(0) == 2_208_988_800 << 32
    assert ntp.from_unix(0.5) & 0xFFFFFFFF == 1 << 31
    assert ntp.middle(0x11112222_33334444) == 0x22223333


@given(st.floats(0, 4e9))
def test_round_trip_within_a_microsecond(unix_s: float) -> None:
    stamp = ntp.from_unix(unix_s)
    assert 0 <= stamp < 1 << 64
    assert ntp.to_unix(stamp) == pytest.approx(unix_s, abs=1e-6, rel=0)


@given(st.floats(0, 4e9))
def test_the_middle_is_found_directly(unix_s: float) -> None:
    """But for a unit, where the fraction is rounded."""
    assert (ntp.middle_from_unix(unix_s) - ntp.middle(ntp.from_unix(unix_s))) & 0xFFFFFFFF in (
        0,
        1,
        0xFFFFFFFF,
    )


def test_time_goes_on_after_the_wrap_of_2036() -> None:
    assert ntp.from_unix(FEBRUARY_2036) == 0
    assert ntp.to_unix(0) == FEBRUARY_2036
    assert ntp.to_unix(ntp.from_unix(FEBRUARY_2036 - 1)) == FEBRUARY_2036 - 1


def test_a_fraction_that_rounds_up_stays_in_its_second() -> None:
    assert ntp.from_unix(1 - 2**-50) & 0xFFFFFFFF == 0xFFFFFFFF


def test_units_are_clamped() -> None:
    assert ntp.to_units(1.5) == 0x18000
    assert ntp.to_units(-1) == 0
    assert ntp.to_units(1e9) == 0xFFFFFFFF


def test_round_trip_time() -> None:
    assert ntp.round_trip_s(0x30000, 0x10000, 0x8000) == 1.5
    assert ntp.round_trip_s(0x100, 0xFFFFFF00, 0) == 0x200 / 65536


@pytest.mark.parametrize(
    ("now", "last", "delay"), [(0x30000, 0, 0), (0x10000, 0x30000, 0), (0x30000, 0x10000, 0x30000)]
)
def test_a_round_trip_that_cannot_be_is_none(now: int, last: int, delay: int) -> None:
    assert ntp.round_trip_s(now, last, delay) is None
