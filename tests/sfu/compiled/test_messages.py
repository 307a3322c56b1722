"""Which datagrams share a message, and what the kernel is told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.compiled.messages import (
    CONTROL,
    CONTROL_LENGTH,
    CONTROL_WORDS,
    FLAGS,
    HEADER_NAME,
    HEADER_NAME_LENGTH,
    HEADER_WORDS,
    HEADERS_AT,
    IOV,
    IOV_LENGTH,
    MAX_GSO_BYTES,
    MAX_SEGMENTS,
    TARGET_COLUMNS,
    TARGET_LENGTH,
    TARGET_NAME,
    TARGET_ROW,
    VECTOR_WORDS,
    collect,
    group,
    words_size,
)
from sfu.compiled.outgoing import (
    NAME,
    NAME_LENGTH,
    PEER_COLUMNS,
    PLAIN,
    PORT,
    PROTECTED,
    REFUSED,
    ROW_COLUMNS,
    ROW_LENGTH,
    ROW_PEER,
)


class Kernel:
    """What the kernel would read."""

    def __init__(self, size: int) -> None:
        self.words = np.full(words_size(size), -1, np.int64)
        tables = []
        at = HEADERS_AT
        for width in (HEADER_WORDS, VECTOR_WORDS, TARGET_COLUMNS, CONTROL_WORDS):
            tables.append(self.words[at : at + size * width].reshape(size, width))
            at += size * width
        assert at == len(self.words)
        self.headers, self.vectors, self.targets, self.controls = tables


def runs(datagrams: list[tuple[int, int]], *, gso: bool = True) -> list[list[tuple[int, int]]]:
    """Datagrams (size, destination) by message."""
    size = len(datagrams)
    kernel = Kernel(size)
    kernel.vectors[:, 1] = [size for size, _ in datagrams]
    kernel.targets[:, TARGET_NAME] = [name for _, name in datagrams]
    kernel.targets[:, TARGET_LENGTH] = 16
    found = []
    for message in range(group(kernel.words, size, size, gso)):
        header = kernel.headers[message].tolist()
        start = (header[IOV] - kernel.vectors.ctypes.data) // 16
        run = datagrams[start : start + header[IOV_LENGTH]]
        assert (header[HEADER_NAME], header[HEADER_NAME_LENGTH], header[FLAGS]) == (run[0][1], 16, 0)
        if len(run) > 1:
            assert header[CONTROL] == kernel.controls[message].ctypes.data
            assert header[CONTROL_LENGTH] == 24
            assert kernel.controls[message].tolist() == [18, 17 | 103 << 32, run[0][0]]
        else:
            assert header[CONTROL] == header[CONTROL_LENGTH] == 0
        found.append(run)
    return found


@given(
    st.lists(st.tuples(st.sampled_from([1, 500, 1200, 60_000]), st.integers(0, 1)), min_size=1, max_size=300),
    st.booleans(),
)
def test_messages_are_runs_that_the_kernel_can_cut(datagrams: list[tuple[int, int]], gso: bool) -> None:
    """All equal but the last, which may be shorter; to one destination; not too many and not too much."""
    found = runs(datagrams, gso=gso)
    assert [datagram for run in found for datagram in run] == datagrams
    for run, following in zip(found, [*found[1:], []], strict=True):
        sizes = [size for size, _ in run]
        assert len({name for _, name in run}) == 1
        assert len(set(sizes[:-1])) <= 1
        assert sizes[-1] <= sizes[0]
        assert len(run) <= (MAX_SEGMENTS if gso else 1)
        assert len(run) == 1 or sum(sizes) <= MAX_GSO_BYTES
        if gso and following and following[0] == run[-1] and sizes[-1] == sizes[0]:
            assert len(run) == min(MAX_SEGMENTS, max(1, MAX_GSO_BYTES // sizes[0])), "no run is cut in vain"


@pytest.mark.parametrize(
    ("lengths", "messages"),
    [
        ([9, 9, 9, 5], 1),
        ([9, 9, 5, 5, 3], 2),
        ([9, 8, 7, 6, 5], 3),
        ([9, 8, 7, 7, 6], 2),
        ([5, 9], 2),
        ([1200] * 200, 4),  # 54 of them fill 65,000
    ],
)
def test_a_shorter_datagram_ends_a_message(lengths: list[int], messages: int) -> None:
    assert len(runs([(length, 0) for length in lengths])) == messages


def test_rows_of_one_port_are_collected_from_the_first_on() -> None:
    memory, rows = np.zeros(5 * 64, np.uint8), np.zeros((5, ROW_COLUMNS), np.int32)
    peers = np.zeros((3, PEER_COLUMNS), np.int64)
    peers[:, PORT] = 7, 8, -1
    peers[:, NAME], peers[:, NAME_LENGTH] = (1000, 2000, 3000), 28
    rows[:] = [
        (10, 0, PROTECTED),
        (11, 1, PROTECTED),
        (12, 0, REFUSED),
        (13, 2, PROTECTED),
        (14, 0, PROTECTED),
    ]
    kernel = Kernel(5)
    assert collect(rows, 3, 5, memory, peers, 7, True, kernel.words) == 1
    assert kernel.words[:2].tolist() == [2, 24]
    assert kernel.targets[:2].tolist() == [[1000, 28, 4], [1000, 28, 0]]
    base = memory.ctypes.data
    assert kernel.vectors[:2].tolist() == [[base + 4 * 64, 14], [base, 10]]
    rows[:, 2] = PLAIN
    assert collect(rows, 0, 5, memory, peers, 7, True, kernel.words) == 0
    assert kernel.words[:2].tolist() == [0, 0]
    assert rows[:, ROW_LENGTH].tolist() == [10, 11, 12, 13, 14]
    assert rows[:, ROW_PEER].tolist() == [0, 1, 0, 2, 0]
    assert kernel.targets[2:, TARGET_ROW].tolist() == [-1] * 3
