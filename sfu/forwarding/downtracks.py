"""The one table of down tracks: a row for each (subscriber, track), a column for each number that forwarding needs."""

import numpy as np

from sfu.net.arrays import Int32s, Int64s, UInt8s

UNSUPPORTED = 255
"""Payload type of a codec slot that the subscriber did not negotiate."""

SLOTS = 2
"""Codecs that one track may interleave on one stream: the main one, and redundant audio (RFC 2198)."""


class DownTrackTable:
    """Structure of arrays, grown by doubling; rows are reused. Offsets are ``source - out``, both extended."""

    __slots__ = (
        "_free",
        "key_index_offset",
        "payload_type",
        "peer",
        "picture_offset",
        "sequence_offset",
        "since",
        "ssrc",
        "timestamp_offset",
        "tl0_offset",
    )

    def __init__(self, capacity: int = 64) -> None:
        self.ssrc: Int64s = np.zeros(capacity, np.int64)
        self.payload_type: UInt8s = np.full((capacity, SLOTS), UNSUPPORTED, np.uint8)
        self.peer: Int32s = np.zeros(capacity, np.int32)
        self.sequence_offset: Int64s = np.zeros(capacity, np.int64)
        self.since: Int64s = np.zeros(capacity, np.int64)
        """Source sequence number of the first packet after the last switch; older ones that come late don't map."""
        self.timestamp_offset: Int64s = np.zeros(capacity, np.int64)
        self.picture_offset: Int64s = np.zeros(capacity, np.int64)
        self.tl0_offset: Int64s = np.zeros(capacity, np.int64)
        self.key_index_offset: Int64s = np.zeros(capacity, np.int64)
        self._free = list(range(capacity - 1, -1, -1))

    def __len__(self) -> int:
        """Rows in use."""
        return len(self.ssrc) - len(self._free)

    def allocate(self, peer: int, ssrc: int) -> int:
        """Take a row for a down track of the peer."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self.peer[row] = peer
        self.ssrc[row] = ssrc
        self.payload_type[row] = UNSUPPORTED
        for column in (
            self.sequence_offset,
            self.timestamp_offset,
            self.picture_offset,
            self.tl0_offset,
            self.key_index_offset,
        ):
            column[row] = 0
        return row

    def release(self, row: int) -> None:
        """Give a row back; no rendition may list it any more."""
        self._free.append(row)

    def _grow(self) -> None:
        old = len(self.ssrc)
        for name in self.__slots__:
            if name == "_free":
                continue
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.zeros_like(column)]))
        self._free = list(range(2 * old - 1, old - 1, -1))
