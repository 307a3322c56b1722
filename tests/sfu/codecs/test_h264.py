"""Key frames of H.264."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.codecs.h264 import is_idr_start, is_keyframe_start


def fits(text: str) -> memoryview:
    return memoryview(bytes.fromhex(text))


@pytest.mark.parametrize(
    "text",
    [
        "67 42e01f",  # SPS alone
        "78 0004 6742e01f 0002 68ce",  # STAP-A: SPS, PPS
        "78 0002 09f0 0004 6742e01f",  # access unit delimiter before it
        "7c 87 42e01f",  # FU-A, first fragment of an SPS
        "78 0004 6742e01f ffff 68",  # what comes after may be broken
    ],
)
def test_an_sps_starts_a_key_frame(text: str) -> None:
    assert is_keyframe_start(fits(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "41 9a",  # slice
        "65 88",  # IDR without parameters
        "68 ce",  # PPS
        "7c 07 42",  # FU-A, later fragment
        "7c 85 88",  # FU-A of an IDR
        "7c 87",  # FU-A of nothing
        "7c",
        "78",
        "78 0000 0004 6742e01f",  # STAP-A with size 0
        "78 0005 6742e01f",  # past the end
        "78 0004 7867 0001 67",  # nested aggregation is not opened
        "78 00",
        "60 42",  # types 0 and 31
        "7f 42",
    ],
)
def test_other_packets_do_not(text: str) -> None:
    assert not is_keyframe_start(fits(text))


@pytest.mark.parametrize("text", ["65 88", "7c 85 88", "78 0002 09f0 0002 6588"])
def test_first_slice_of_an_idr_picture(text: str) -> None:
    assert is_idr_start(fits(text))


@pytest.mark.parametrize("text", ["65 40", "7c 85 40", "7c 05 88", "65", "41 88", "78 0001 65", "67 88", ""])
def test_later_slices_and_other_pictures_are_no_idr_start(text: str) -> None:
    assert not is_idr_start(fits(text))


@given(st.binary(max_size=40), st.sampled_from([b"", b"\x78", b"\x7c", b"\x7d"]))
def test_any_bytes_have_an_answer(payload: bytes, head: bytes) -> None:
    assert is_keyframe_start(head + payload) in (True, False)
    assert is_idr_start(head + payload) in (True, False)
