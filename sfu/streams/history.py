"""The newest packets of one layer, shared by all that retransmit from it."""

from typing import Generic, TypeVar

SLOTS = 1024
"""About three seconds of a 3 Mbps layer; as deep as the window of a received stream."""

Meta = TypeVar("Meta")


class History(Generic[Meta]):
    """A ring of packets by extended sequence number.

    Each is kept as (sequence, bytes, whatever the owner needs to send it again).
    """

    __slots__ = ("_mask", "_slots")

    def __init__(self, size: int = SLOTS) -> None:
        """``size`` must be a power of two."""
        if size < 1 or size & (size - 1):
            raise ValueError(f"{size} is no power of two")
        self._mask = size - 1
        self._slots: list[tuple[int, bytes, Meta] | None] = [None] * size

    def store(self, ext_seq: int, packet: bytes, meta: Meta) -> None:
        """Keep a packet in the place of the one a ring's length older.

        One too old to have a place is dropped.
        """
        at = ext_seq & self._mask
        before = self._slots[at]
        if before is None or before[0] <= ext_seq:
            self._slots[at] = (ext_seq, packet, meta)

    def find(self, ext_seq: int) -> tuple[int, bytes, Meta] | None:
        """The packet of this number, None if it never came or was overwritten."""
        entry = self._slots[ext_seq & self._mask]
        return entry if entry is not None and entry[0] == ext_seq else None

    def span(self, first: int, last: int) -> list[tuple[int, bytes, Meta]] | None:
        """All packets from ``first`` to ``last``, both included; None if any is missing."""
        if not 0 <= last - first <= self._mask:
            return None
        found = [self.find(ext_seq) for ext_seq in range(first, last + 1)]
        entries = [entry for entry in found if entry is not None]
        return entries if len(entries) == len(found) else None

    def clear(self) -> None:
        self._slots = [None] * len(self._slots)
