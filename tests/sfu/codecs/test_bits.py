"""Bit fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.codecs.bits import BitReader, OutOfBits


def test_fields_in_order() -> None:
    bits = BitReader(memoryview(b"\xa5\x0f"))
    assert [bits.take(count) for count in (1, 2, 5, 0, 8)] == [1, 1, 5, 0, 15]
    with pytest.raises(OutOfBits):
        bits.take(1)


@given(st.binary(max_size=12))
def test_all_bits_one_by_one(data: bytes) -> None:
    bits = BitReader(data)
    assert [bits.take(1) for _ in range(len(data) * 8)] == [
        byte >> i & 1 for byte in data for i in range(7, -1, -1)
    ]


def test_non_symmetric_numbers() -> None:
    # Below 5: 0, 1, 2 in two bits, 3 and 4 in three (110, 111).
    bits = BitReader(bytes((0b00_01_10_11, 0b0_111_0000)))
    assert [bits.take_below(5) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert BitReader(b"").take_below(1) == 0
