"""The compiled reader of VP8 payload descriptors sees what the other one does."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from sfu.codecs import vp8
from sfu.compiled.arrays import Bytes2, Words
from sfu.compiled.jit import compiled
from sfu.compiled.vp8 import DESCRIPTOR_WORDS, extend, read
from sfu.rtp.sequence import extend_bits


@compiled
def _read(memory: Bytes2, row: int, start: int, end: int, found: Words) -> bool:
    return read(memory, row, start, end, found)


@compiled
def _extend(reference: int, number: int, bits: int) -> int:
    return extend(reference, number, bits)


@given(st.binary(max_size=12))
@example(bytes.fromhex("90f0812305c50102"))
@example(bytes.fromhex("10010203040506"))
def test_it_reads_what_is_there(payload: bytes):
    memory = np.full((2, 32), 0xFF, np.uint8)
    memory[1, 3 : 3 + len(payload)] = np.frombuffer(payload, np.uint8)
    found = np.zeros(DESCRIPTOR_WORDS, np.int64)
    plain = _read(memory, 1, 3, 3 + len(payload), found)
    expected = vp8.parse(payload)
    if expected is None or expected.picture_id_bits == 7:
        assert not plain
    elif plain:
        assert found.tolist() == [
            expected.start,
            expected.keyframe,
            expected.tid,
            expected.layer_sync,
            expected.picture_id,
            max(expected.picture_id_offset, 0),
            max(expected.tl0_index, 0),
            max(expected.tl0_offset, 0),
            max(expected.key_index, 0),
            max(expected.key_index_offset, 0),
        ]
    else:
        assert len(payload) <= 6, "short ones are left to the other reader"


@given(st.integers(0, 1 << 40), st.integers(0, (1 << 15) - 1))
def test_numbers_are_extended_alike(reference: int, number: int):
    assert _extend(reference, number, 15) == extend_bits(reference, number, 15)
    assert _extend(reference, number & 0xFF, 8) == extend_bits(reference, number & 0xFF, 8)
