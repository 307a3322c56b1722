"""Redundant audio."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.codecs import red

OLDER = st.tuples(st.integers(0, 127), st.integers(0, 0x3FFF), st.binary(max_size=60))


def build(older: list[tuple[int, int, bytes]], payload_type: int, newest: bytes) -> bytes:
    heads = b"".join(
        (0x80 | pt).to_bytes(1, "big") + (offset << 10 | len(block)).to_bytes(3, "big")
        for pt, offset, block in older
    )
    return heads + bytes((payload_type,)) + b"".join(block for _, _, block in older) + newest


@given(st.lists(OLDER, max_size=red.MAX_BLOCKS - 1), st.integers(0, 127), st.binary(max_size=60))
def test_blocks_come_out_as_they_went_in(older, payload_type, newest) -> None:
    payload = build(older, payload_type, newest)
    blocks = red.split(memoryview(payload))
    assert blocks is not None
    assert [(pt, offset, payload[start : start + length]) for pt, offset, start, length in blocks] == [
        *older,
        (payload_type, 0, newest),
    ]
    assert red.primary(payload) == (payload_type, len(payload) - len(newest), len(newest))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ef",
        "ef 0000",
        "ef 000001",  # no primary header
        "ef 000001 6f",  # block past the end
        "ef 0003ff 6f 00",
    ],
)
def test_what_does_not_fit_is_none(text: str) -> None:
    assert red.split(bytes.fromhex(text)) is None
    assert red.primary(bytes.fromhex(text)) is None


def test_a_chain_without_end_is_none() -> None:
    assert red.split(b"\x80" * 1400) is None
    assert red.split(build([(1, 2, b"")] * red.MAX_BLOCKS, 3, b"a")) is None


@given(st.binary(max_size=60))
def test_any_bytes_are_split_inside_the_payload_or_none(payload: bytes) -> None:
    blocks = red.split(payload)
    if blocks is not None:
        assert blocks[-1].offset + blocks[-1].length == len(payload)
        assert all(block.length >= 0 for block in blocks)
