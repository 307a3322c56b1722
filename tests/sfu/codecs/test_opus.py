"""Opus packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.codecs import opus


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("f8 fffe", 20),  # CELT 20 ms, one frame
        ("e0 00", 2.5),
        ("00 00", 10),  # SILK
        ("18 00", 60),
        ("19 00", 120),  # two frames
        ("68 00", 20),  # hybrid
        ("fb 03 00", 60),  # three of 20 ms
        ("fb 06 00", 120),
    ],
)
def test_duration(text: str, milliseconds: float) -> None:
    assert opus.duration_s(memoryview(bytes.fromhex(text))) == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize("text", ["", "fb", "fb 00", "fb 07", "1b 03"])
def test_no_duration(text: str) -> None:
    assert opus.duration_s(bytes.fromhex(text)) is None


@pytest.mark.parametrize("text", ["f8", "48", "f9", "fa00"])
def test_dtx(text: str) -> None:
    assert opus.is_dtx(memoryview(bytes.fromhex(text)))


@pytest.mark.parametrize("text", ["", "f8ff", "fa", "fa01", "fa0000", "fb", "fb01", opus.SILENCE.hex()])
def test_no_dtx(text: str) -> None:
    assert not opus.is_dtx(bytes.fromhex(text))


@given(st.binary(max_size=4))
def test_any_bytes_have_an_answer(payload: bytes) -> None:
    duration = opus.duration_s(payload)
    assert duration is None or 0 < duration <= opus.MAX_DURATION_S
    assert opus.is_dtx(payload) in (True, False)
