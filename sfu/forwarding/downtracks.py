"""The one table of down tracks: a row for each (subscriber, track), a column for each number that forwarding needs."""

from collections.abc import Callable, Sequence

import numpy as np

from sfu.compiled.outgoing import (
    DOWN_COLUMNS,
    KEY_INDEX_FROM,
    PAYLOAD_TYPE,
    PEER,
    PICTURE_FROM,
    SEQUENCE_FROM,
    SINCE,
    SLOTS,
    SSRC,
    TIMESTAMP_FROM,
    TL0_FROM,
)
from sfu.net.arrays import Int64s, grown
from sfu.net.places import Place

UNSUPPORTED = 255
"""Payload type of a codec slot that the subscriber did not negotiate."""


class DownTrackTable:
    """One matrix, a row for each down track; columns have names too. Grown by doubling; rows are reused.

    Offsets are ``source - out``, both extended. Columns are read-only: copies that are yet to be written need a row as
    it is, so whatever changes one first calls :attr:`settle` or :attr:`forget`.
    """

    __slots__ = (
        "_free",
        "forget",
        "key_index_offset",
        "matrix",
        "payload_type",
        "peer",
        "picture_offset",
        "place",
        "sequence_offset",
        "settle",
        "since",
        "ssrc",
        "timestamp_offset",
        "tl0_offset",
    )

    def __init__(self, capacity: int = 64) -> None:
        self._free = list(range(capacity - 1, -1, -1))
        self.settle: Callable[[int], None] = _nothing
        """Called with a row that is about to change: sends the copies that need it as it is."""
        self.forget: Callable[[int], None] = _nothing
        """Called with a row that is given back: leaves out the copies for it."""
        matrix: Int64s = np.zeros((capacity, DOWN_COLUMNS), np.int64)
        self.place = Place(matrix)
        self._use(matrix)

    def _use(self, matrix: Int64s) -> None:
        self.matrix = matrix
        self.place.move(matrix)
        matrix = matrix.view()
        matrix.flags.writeable = False
        self.sequence_offset: Int64s = matrix[:, SEQUENCE_FROM]
        self.timestamp_offset: Int64s = matrix[:, TIMESTAMP_FROM]
        self.picture_offset: Int64s = matrix[:, PICTURE_FROM]
        self.tl0_offset: Int64s = matrix[:, TL0_FROM]
        self.key_index_offset: Int64s = matrix[:, KEY_INDEX_FROM]
        self.ssrc: Int64s = matrix[:, SSRC]
        self.payload_type: Int64s = matrix[:, PAYLOAD_TYPE : PAYLOAD_TYPE + SLOTS]
        """A column for each codec slot."""
        self.peer: Int64s = matrix[:, PEER]
        self.since: Int64s = matrix[:, SINCE]
        """Source sequence number of the first packet after the last switch; older ones that come late don't map."""

    def __len__(self) -> int:
        """Rows in use."""
        return len(self.matrix) - len(self._free)

    def allocate(self, peer: int, ssrc: int) -> int:
        """Take a row for a down track of the peer."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        numbers = self.matrix[row]
        numbers[:] = 0
        numbers[PEER] = peer
        numbers[SSRC] = ssrc
        numbers[PAYLOAD_TYPE : PAYLOAD_TYPE + SLOTS] = UNSUPPORTED
        return row

    def release(self, row: int) -> None:
        """Give a row back; no rendition may list it any more."""
        self.forget(row)
        self._free.append(row)

    def set_offsets(self, row: int, offsets: Sequence[int], since: int) -> None:
        """Set the offsets, from sequence number to key index in the order of columns, and since when they hold."""
        self.settle(row)
        self.matrix[row, :SSRC] = offsets
        self.matrix[row, SINCE] = since

    def set_payload_types(self, row: int, payload_types: Sequence[int]) -> None:
        """Set the payload type of each codec slot."""
        self.settle(row)
        self.matrix[row, PAYLOAD_TYPE : PAYLOAD_TYPE + SLOTS] = payload_types

    def _grow(self) -> None:
        old = len(self.matrix)
        self._use(grown(self.matrix))
        self._free = list(range(2 * old - 1, old - 1, -1))


def _nothing(row: int) -> None:
    """No copies wait."""
