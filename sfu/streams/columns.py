"""What changes with each packet of a received stream, by column, for all streams of an engine.

Many packets are taken by arrays (:mod:`sfu.forwarding.bulk`), a single one by memory views, which are quicker for one
number. Both are the same memory. It moves when a table grows, so arrays and views are read from the table each time.
"""

from typing import Any, ClassVar

import numpy as np

from sfu.net.arrays import Float64s, Int64s, grown

NOBODY = 0
"""The row of nothing; its numbers never change."""
_FIRST_ROWS = 2


class Columns:
    """Rows that are taken and given back. Arrays have names in the plural, views of them in the singular."""

    __slots__ = ("_free",)
    ARRAYS: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self._free = list(range(_FIRST_ROWS - 1, NOBODY, -1))
        self._view()

    def take(self) -> int:
        """A row; its numbers are those of whoever had it before."""
        if not self._free:
            rows = len(getattr(self, self.ARRAYS[0]))
            for name in self.ARRAYS:
                array = getattr(self, name)
                setattr(self, name, grown(array))
            self._free = list(range(2 * rows - 1, rows - 1, -1))
            self._view()
        return self._free.pop()

    def release(self, row: int) -> None:
        """Give a row back."""
        self._free.append(row)

    def _view(self) -> None:
        raise NotImplementedError


class StreamColumns(Columns):
    """One row for each received SSRC."""

    ARRAYS = (
        "highests",
        "timestamps",
        "timestamps_at",
        "jitters",
        "clock_rates",
        "payload_types",
        "meters",
        "layouts",
    )
    __slots__ = (*ARRAYS, "highest", "jitter", "payload_type", "timestamp", "timestamp_at")

    def __init__(self) -> None:
        self.highests: Int64s = np.full(_FIRST_ROWS, -1, np.int64)
        """Extended sequence number of the newest packet; -1 before the first."""
        self.timestamps: Int64s = np.zeros(_FIRST_ROWS, np.int64)
        """Its extended timestamp."""
        self.timestamps_at: Float64s = np.zeros(_FIRST_ROWS, np.float64)
        """When that timestamp was new."""
        self.jitters: Float64s = np.zeros(_FIRST_ROWS, np.float64)
        """In clock ticks."""
        self.clock_rates: Int64s = np.ones(_FIRST_ROWS, np.int64)
        self.payload_types: Int64s = np.full(_FIRST_ROWS, -1, np.int64)
        """Of the newest packet; -1 before the first."""
        self.meters: Int64s = np.full(_FIRST_ROWS, NOBODY, np.int64)
        """Row of the stream's meter in LevelColumns."""
        self.layouts: Int64s = np.zeros(_FIRST_ROWS, np.int64)
        """Which layout of header extensions to try first, for whoever takes many packets."""
        super().__init__()

    def begin(self, clock_rate: int) -> int:
        """A row for a stream that nothing has come of yet."""
        row = self.take()
        self.highests[row] = self.payload_types[row] = -1
        self.meters[row] = NOBODY
        self.layouts[row] = 0
        self.timestamps[row] = self.timestamps_at[row] = self.jitters[row] = 0
        self.clock_rates[row] = clock_rate
        return row

    def _view(self) -> None:
        self.highest: memoryview[int] = self.highests.data
        self.timestamp: memoryview[int] = self.timestamps.data
        self.timestamp_at = floats(self.timestamps_at)
        self.jitter = floats(self.jitters)
        self.payload_type: memoryview[int] = self.payload_types.data


class LevelColumns(Columns):
    """One row for each microphone: what its packets said since its last window."""

    ARRAYS = ("seen_at", "observed_ms", "active_ms", "loudest")
    __slots__ = (*ARRAYS, "active", "loud", "observed", "seen")

    def __init__(self) -> None:
        self.seen_at: Float64s = np.zeros(_FIRST_ROWS, np.float64)
        """Newest packet."""
        self.observed_ms: Int64s = np.zeros(_FIRST_ROWS, np.int64)
        self.active_ms: Int64s = np.zeros(_FIRST_ROWS, np.int64)
        """Of these, loud enough to be speech."""
        self.loudest: Int64s = np.zeros(_FIRST_ROWS, np.int64)
        """Level of the loudest packet in -dBov."""
        super().__init__()

    def _view(self) -> None:
        self.seen = floats(self.seen_at)
        self.observed: memoryview[int] = self.observed_ms.data
        self.active: memoryview[int] = self.active_ms.data
        self.loud: memoryview[int] = self.loudest.data


def floats(array: Float64s) -> "memoryview[float]":
    """A view of an array of floats."""
    view: Any = array.data
    return view  # type: ignore[no-any-return]
