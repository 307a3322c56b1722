"""The newest packets of one layer, shared by all that retransmit from it."""

from typing import Generic, TypeVar

SLOTS = 1024
"""About three seconds of a 3 Mbps layer; as deep as the window of a received stream."""

Packet = TypeVar("Packet")


class History(Generic[Packet]):
    """A ring of packets by extended sequence number."""

    __slots__ = ("_mask", "_slots")

    def __init__(self, size: int = SLOTS) -> None:
        """``size`` must be a power of two."""
        if size < 1 or size & (size - 1):
            raise ValueError(f"{size} is no power of two")
        self._mask = size - 1
        self._slots: list[tuple[int, Packet] | None] = [None] * size

    def store(self, ext_seq: int, packet: Packet) -> None:
        """Keep a packet in the place of the one a ring's length older.

        One too old to have a place is dropped.
        """
        at = ext_seq & self._mask
        before = self._slots[at]
        if before is None or before[0] <= ext_seq:
            self._slots[at] = (ext_seq, packet)

    def find(self, ext_seq: int) -> Packet | None:
        """The packet of this number, None if it never came or was overwritten."""
        entry = self._slots[ext_seq & self._mask]
        return entry[1] if entry is not None and entry[0] == ext_seq else None
