"""Types of arrays for annotations: what mypy takes them for, and what numba compiles for."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

Bytes = Annotated[NDArray[np.uint8], "uint8[::1]"]
Bytes2 = Annotated[NDArray[np.uint8], "uint8[:, ::1]"]
Halves = Annotated[NDArray[np.int32], "int32[::1]"]
Halves2 = Annotated[NDArray[np.int32], "int32[:, ::1]"]
Words = Annotated[NDArray[np.int64], "int64[::1]"]
Words2 = Annotated[NDArray[np.int64], "int64[:, ::1]"]
Words3 = Annotated[NDArray[np.int64], "int64[:, :, ::1]"]
Floats = Annotated[NDArray[np.float64], "float64[::1]"]
Floats2 = Annotated[NDArray[np.float64], "float64[:, ::1]"]
