"""Ordering rows by a number, as a stable sort does."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sfu.compiled.sorting import order, spare_size


def _ordered(keys: list[int]) -> list[tuple[int, ...]]:
    rows = np.array([(key, n, 2 * n) for n, key in enumerate(keys)] or np.zeros((0, 3)), np.int32)
    beyond = np.array([[-1, -1, -1]], np.int32)
    rows = np.concatenate([rows, beyond])
    order(rows, len(keys), np.full(spare_size(len(keys)), 7, np.int32))
    assert rows[-1].tolist() == [-1, -1, -1]
    return [tuple(row) for row in rows[:-1].tolist()]


@given(
    st.integers(0, 2**31 - 1).flatmap(lambda most: st.lists(st.integers(0, most), max_size=200)),
)
def test_rows_are_ordered_and_equal_ones_keep_their_places(keys: list[int]) -> None:
    expected = sorted((key, n) for n, key in enumerate(keys))
    assert _ordered(keys) == [(key, n, 2 * n) for key, n in expected]


def test_what_is_in_order_stays() -> None:
    assert _ordered([1, 1, 2, 500]) == [(1, 0, 0), (1, 1, 2), (2, 2, 4), (500, 3, 6)]
