"""Rows of outgoing packets, filled by column and sent in one go."""

import numpy as np

from sfu.net.arrays import BigEndians, Int32s, Int64s, UInt8s


class SendArena:
    """``capacity`` rows of ``stride`` bytes; each row is one packet for one peer, with room for the SRTP tag."""

    __slots__ = (
        "addresses",
        "be16",
        "be32",
        "bytes",
        "capacity",
        "count",
        "flat",
        "lengths",
        "numbers",
        "offsets",
        "peers",
        "piecewise",
        "pointers",
        "rows",
        "stride",
        "urgent",
    )

    def __init__(self, capacity: int, stride: int, *, piecewise: bool = False) -> None:
        if stride % 8:
            raise ValueError("the stride must be whole words")
        self.capacity = capacity
        self.stride = stride
        self.rows: UInt8s = np.zeros((capacity, stride), np.uint8)
        self.flat: UInt8s = self.rows.reshape(-1)
        self.numbers: Int64s = np.arange(capacity, dtype=np.int64)
        """Of the rows."""
        self.addresses: Int64s = self.rows.ctypes.data + self.numbers * stride
        """Of the rows, for the kernel ..."""
        self.pointers: list[int] = self.addresses.tolist()
        """... and the same for few."""
        self.offsets: Int64s = self.numbers * stride
        """Where each row begins in ``flat`` and ``bytes``."""
        self.bytes = self.rows.data.cast("B")
        self.be16: BigEndians = self.rows.view(">u2")
        """Rows as big-endian 16-bit words: column 1 is the RTP sequence number."""
        self.be32: BigEndians = self.rows.view(">u4")
        """Rows as big-endian 32-bit words: column 1 is the RTP timestamp, column 2 the SSRC."""
        self.lengths: Int32s = np.zeros(capacity, np.int32)
        self.peers: Int32s = np.zeros(capacity, np.int32)
        """Row of the destination in the peer table."""
        self.count = 0
        self.piecewise = piecewise
        """Each filling is a piece of something larger."""
        self.urgent = False
        """Small packets, audio among them: what a full socket buffer refuses is kept for the next turn."""

    def append(self, peer: int, packet: bytes) -> None:
        """Add one finished RTP packet (a retransmission); the caller has checked that there is room."""
        index = self.count
        start = index * self.stride
        self.bytes[start : start + len(packet)] = packet
        self.lengths[index] = len(packet)
        self.peers[index] = peer
        self.count = index + 1
