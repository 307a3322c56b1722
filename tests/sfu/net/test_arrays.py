"""What arrays of numbers are asked."""

import numpy as np
import pytest

from sfu.net.arrays import grown


@pytest.mark.parametrize("fill", [0, -1])
def test_a_grown_column_keeps_what_it_holds(fill: int) -> None:
    column = np.arange(6, dtype=np.int64).reshape(3, 2)
    twice = grown(column, fill)
    assert twice.dtype == column.dtype
    assert twice[:3].tolist() == column.tolist()
    assert twice[3:].tolist() == [[fill, fill]] * 3
    twice[0] = 77
    assert column[0].tolist() == [0, 1]
