"""What arrays of numbers are asked."""

import numpy as np
import pytest

from sfu.net.arrays import run_lengths


@pytest.mark.parametrize("seed", range(20))
def test_lengths_of_runs_are_differences_of_their_starts(seed: int) -> None:
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 50))
    starts = np.unique(np.append(0, random.integers(0, count, count)))
    lengths = run_lengths(starts, count)
    assert lengths.tolist() == np.diff(starts, append=count).tolist()
    assert lengths.sum() == count
    assert lengths.min() > 0
