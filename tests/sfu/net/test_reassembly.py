"""Reassembly: any order of arrival gives each stream's messages whole, in order, with nothing left behind."""

import random
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.net.reassembly import BEGIN, END, UNORDERED, Reassembly, ReassemblyOverflow

Chunk = tuple[int, int, int, int, int, bytes]


def reassembly(
    max_message_size: int = 10_000, max_bytes: int = 100_000, max_chunks: int = 1000
) -> Reassembly:
    return Reassembly(max_message_size, max_bytes, max_chunks)


def chunks_of(messages: list[tuple[int, bool, int]]) -> tuple[list[Chunk], list[tuple[int, bool, bytes]]]:
    """Turn (stream, ordered, fragments) into chunks with consecutive TSNs, and the payloads expected."""
    tsn, chunks, expected, ssns = count(100), [], [], dict.fromkeys(range(3), 0)
    for number, (stream_id, ordered, fragments) in enumerate(messages):
        payload = b""
        for fragment in range(fragments):
            part = b"%d.%d " % (number, fragment)
            payload += part
            flags = BEGIN * (fragment == 0) | END * (fragment == fragments - 1) | UNORDERED * (not ordered)
            chunks.append((stream_id, next(tsn), flags, ssns[stream_id] if ordered else 0, 53, part))
        if ordered:
            ssns[stream_id] += 1
        expected.append((stream_id, ordered, payload))
    return chunks, expected


@given(
    st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(1, 5)), max_size=15),
    st.integers(0, 1000),
)
def test_any_order_of_arrival(messages: list[tuple[int, bool, int]], seed: int) -> None:
    chunks, expected = chunks_of(messages)
    random.Random(seed).shuffle(chunks)
    box = reassembly()
    got = [message for chunk in chunks for message in box.add(*chunk)]
    for stream_id in range(3):
        mine = [payload for stream, _, payload in got if stream == stream_id]
        ordered = [payload for stream, is_ordered, payload in expected if stream == stream_id and is_ordered]
        assert [payload for payload in mine if payload in ordered] == ordered
        assert sorted(mine) == sorted(payload for stream, _, payload in expected if stream == stream_id)
    assert (box.held_bytes, box.held_chunks) == (0, 0)


def test_sequence_numbers_wrap() -> None:
    box = reassembly()
    got = []
    for number in range(70_000):
        got += box.add(1, number, BEGIN | END, number & 0xFFFF, 53, b"x")
    assert len(got) == 70_000


def test_skipping_gives_up_the_missing_and_frees_the_waiting() -> None:
    box = reassembly()
    for ssn in (1, 3, 6):
        assert box.add(1, 100 + ssn, BEGIN | END, ssn, 53, b"%d" % ssn) == []
    assert [payload for _, _, payload in box.skip(1, 2)] == [b"1", b"3"]
    assert box.skip(1, 2) == []
    assert [payload for _, _, payload in box.skip(1, 1000)] == [b"6"]
    assert box.held_chunks == 0
    assert box.add(1, 2000, BEGIN | END, 1001, 53, b"on") == [(1, 53, b"on")]


def test_pruning_drops_what_can_never_be_whole_and_keeps_what_can() -> None:
    box = reassembly()
    box.add(1, 10, BEGIN | UNORDERED, 0, 53, b"lost rest")
    box.add(1, 15, UNORDERED, 0, 53, b"lost begin")
    box.add(1, 20, BEGIN | UNORDERED, 0, 53, b"goes ")
    box.prune(20)
    assert box.held_chunks == 1
    assert box.add(1, 21, END | UNORDERED, 0, 53, b"on") == [(1, 53, b"goes on")]
    assert box.held_bytes == 0


def test_resetting_a_stream_forgets_all_of_it() -> None:
    box = reassembly()
    box.add(1, 10, BEGIN, 0, 53, b"half")
    box.add(1, 20, BEGIN | END, 5, 53, b"waiting")
    box.add(2, 30, BEGIN, 0, 53, b"another stream")
    box.reset(1)
    box.reset(7)
    assert (box.held_bytes, box.held_chunks) == (14, 1)
    assert box.add(1, 40, BEGIN | END, 0, 53, b"afresh") == [(1, 53, b"afresh")]


def test_a_message_beyond_its_bound_overflows() -> None:
    box = reassembly(max_message_size=100)
    for tsn in range(100):
        box.add(1, tsn, BEGIN if tsn == 0 else 0, 0, 53, b"x")
    with pytest.raises(ReassemblyOverflow):
        box.add(1, 100, 0, 0, 53, b"x")


def test_room_ends_at_the_bounds_of_bytes_and_chunks() -> None:
    box = reassembly(max_bytes=10, max_chunks=1000)
    box.add(1, 10, BEGIN, 0, 53, b"12345678")
    assert box.has_room(2)
    assert not box.has_room(3)
    box = reassembly(max_chunks=2)
    for tsn in (10, 20):
        box.add(1, tsn, BEGIN, 0, 53, b"x")
    assert not box.has_room(0)


def test_what_waits_for_a_sequence_number_that_never_comes_overflows() -> None:
    box = reassembly(max_chunks=100)
    for number in range(1, 201):
        box.add(1, number, BEGIN | END, number, 53, b"x")
    with pytest.raises(ReassemblyOverflow):
        box.add(1, 201, BEGIN | END, 201, 53, b"x")
