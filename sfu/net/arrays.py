"""Names for the numpy array types of the data plane."""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

UInt8s = npt.NDArray[np.uint8]
UInt16s = npt.NDArray[np.uint16]
UInt32s = npt.NDArray[np.uint32]
UInt64s = npt.NDArray[np.uint64]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)
BigEndians = npt.NDArray[Any]
"""A view of bytes as big-endian numbers; assignment converts."""


def grown(column: npt.NDArray[Scalar], fill: int = 0) -> npt.NDArray[Scalar]:
    """A copy of twice as many rows; the new ones hold ``fill``."""
    return np.concatenate([column, np.full_like(column, fill)])


def run_lengths(starts: Int64s, count: int) -> Int64s:
    """How long each run is, from where it starts to where the next one does, or to the end after ``count``.

    As ``np.diff(starts, append=count)``, in a quarter of its time for few runs.
    """
    lengths: Int64s = np.empty(len(starts), np.int64)
    np.subtract(starts[1:], starts[:-1], out=lengths[:-1])
    lengths[-1] = count - starts[-1]
    return lengths
