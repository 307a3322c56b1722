"""Key frames of H.265."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.codecs.h265 import is_keyframe_start


@pytest.mark.parametrize(
    "text",
    [
        "4001 0c01",  # VPS
        "4201 0101",  # SPS
        "2601 af",  # IDR_W_RADL, first slice
        "2a01 80",  # CRA
        "6001 0004 40010c01 0004 42010101",  # aggregation: VPS, SPS
        "6001 0003 4601f0 0003 2601af",  # delimiter before a slice
        "6201 93 af",  # first fragment of an IDR
        "6201 a0 0c",  # first fragment of a VPS
        "6401 4000 0c01",  # PACI around a VPS
        "6401 4010 aa 0c01",  # the same with a header extension
        "6401 6200 93 af",  # PACI around a fragment
        "6401 6000 0004 40010c01",  # PACI around an aggregation
    ],
)
def test_key_frame_starts(text: str) -> None:
    assert is_keyframe_start(memoryview(bytes.fromhex(text)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "40",
        "4001",
        "0201 d0",  # trailing picture
        "4401 c1",  # PPS, which may come at any time
        "2601 20",  # later slice of an IDR
        "2e01 80",  # reserved type 23
        "6001 0000 0004 40010c01",  # aggregated unit of no bytes
        "6001 0001 40",
        "6001 0009 40010c01",  # past the end
        "6001 00",
        "6201",
        "6201 13 af",  # later fragment
        "6201 93",
        "6401",
        "6401 40",
        "6401 65f0",  # PACI in PACI
        "6401 63f0 93",  # header extension past the end
    ],
)
def test_other_packets(text: str) -> None:
    assert not is_keyframe_start(memoryview(bytes.fromhex(text)))


@given(st.binary(max_size=40), st.sampled_from([b"", b"\x60\x01", b"\x62\x01", b"\x64\x01"]))
def test_any_bytes_have_an_answer(payload: bytes, head: bytes) -> None:
    assert is_keyframe_start(head + payload) in (True, False)
