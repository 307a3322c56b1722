"""Key frames of AV1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.codecs.av1 import is_keyframe_start


@pytest.mark.parametrize(
    "text",
    [
        "18 0a0b",  # W=1: a sequence header up to the end
        "28 03 0a0b0c 32ff",  # W=2: sequence header, frame
        "08 03 0a0b0c 02 32ff",  # W=0: every element has a length
        "08 01 12 03 0a0b0c",  # temporal delimiter first
        "68 8300 0a0b0c 32ff",  # a length of two bytes
    ],
)
def test_key_frame_starts(text: str) -> None:
    assert is_keyframe_start(memoryview(bytes.fromhex(text)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "18",
        "10 0a0b",  # no new sequence
        "98 0a0b",  # continues an OBU
        "18 320b",  # no sequence header
        "38 0a",  # W=3 with one byte
        "08 05 0a0b",  # element past the end
        "08 00 02 0a0b",  # element of nothing
        "08 ffffffffffffffffff 0a",  # length that never ends
        "08 ff",
        "08 ffffffffffffff7f 0a",  # 2^56 - 1
    ],
)
def test_other_packets(text: str) -> None:
    assert not is_keyframe_start(memoryview(bytes.fromhex(text)))


def test_a_length_has_at_most_eight_bytes() -> None:
    assert is_keyframe_start(bytes.fromhex("08 8180808080808000 0a"))
    assert not is_keyframe_start(bytes.fromhex("08 818080808080808000 0a"))


@given(st.binary(max_size=40), st.sampled_from([b"", b"\x08", b"\x18", b"\x28"]))
def test_any_bytes_have_an_answer(payload: bytes, head: bytes) -> None:
    assert is_keyframe_start(head + payload) in (True, False)
