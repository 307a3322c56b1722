"""Names for the numpy array types of the data plane."""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

UInt8s = npt.NDArray[np.uint8]
UInt64s = npt.NDArray[np.uint64]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]
AnyArray = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)


def grown(column: npt.NDArray[Scalar], fill: int = 0) -> npt.NDArray[Scalar]:
    """A copy of twice as many rows; the new ones hold ``fill``."""
    return np.concatenate([column, np.full_like(column, fill)])
