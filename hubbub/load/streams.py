"""Counts of every received stream, kept by column so that a batch of packets costs a few array operations.

Loss is what is missing between the lowest and the highest sequence number, so packets out of order are none.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]

MAX_STREAMS = 1 << 18
"""Streams counted in all; packets of further ones are left out. No machine takes so many."""
SAMPLED_FIRST = 50
"""Packets of a stream that are all authenticated ..."""
SAMPLED_EVERY = 100
"""... and afterwards those whose sequence number is a multiple of this."""

_FIRST_CYCLE = 1 << 16
"""Packets from before the first keep positive numbers."""


class NewStream(NamedTuple):
    """A stream's first packet, which row it is."""

    slot: int
    row: int


class Totals(NamedTuple):
    """Sums over streams."""

    packets: int
    octets: int
    """Bytes of UDP payload."""
    lost: int
    duplicates: int


class StreamTable:
    """All streams of all clients, each in a slot."""

    def __init__(self) -> None:
        self.count = 0
        self.slots: dict[tuple[int, int], int] = {}
        """Slot by (owner, SSRC)."""
        self.slots_of: dict[int, list[int]] = {}
        self.left_out = 0
        """Packets of streams beyond ``MAX_STREAMS``."""
        self.total_packets = 0
        self.ssrc = self.packets = self.octets = self.base = self.highest = np.zeros(0, np.int64)
        self.prior_packets = self.prior_highest = np.zeros(0, np.int64)
        self._keys = np.zeros(0, np.int64)  # sorted
        self._key_slots = np.zeros(0, np.int64)

    def add(
        self, owners: Int64s, ssrcs: Int64s, sequences: Int64s, sizes: Int64s
    ) -> tuple[Int64s, list[NewStream], Bools]:
        """Count a batch of packets in the order of arrival.

        Returns the slot of each (-1 when left out), the streams that began, and which packets belong to the sample.
        """
        keys = owners << 32 | ssrcs
        slots = self._find(keys)
        begun: list[NewStream] = []
        if (slots < 0).any():
            begun = self._begin(owners, ssrcs, sequences, np.flatnonzero(slots < 0))
            slots = self._find(keys)
        known = slots >= 0
        sample = np.zeros(len(slots), np.bool_)
        inside = slots[known]
        sample[known] = self.packets[inside] < SAMPLED_FIRST
        sample |= sequences % SAMPLED_EVERY == 0
        sample &= known
        self.left_out += len(slots) - len(inside)
        steps = (sequences[known] - self.highest[inside] + 0x8000 & 0xFFFF) - 0x8000
        extended = self.highest[inside] + steps
        np.maximum.at(self.highest, inside, extended)
        np.minimum.at(self.base, inside, extended)
        self.total_packets += len(inside)
        self.packets[: self.count] += np.bincount(inside, minlength=self.count)
        self.octets[: self.count] += np.bincount(inside, sizes[known], self.count).astype(np.int64)
        return slots, begun, sample

    def snapshot(self) -> "Snapshot":
        """The counts as they are now."""
        count = self.count
        return Snapshot(self.packets[:count].copy(), self.octets[:count].copy(), self.highest[:count].copy())

    def interval(self, slot: int) -> tuple[int, int]:
        """Packets expected and received since the last call for the slot (for receiver reports)."""
        highest, packets = int(self.highest[slot]), int(self.packets[slot])
        expected = highest - int(self.prior_highest[slot])
        received = packets - int(self.prior_packets[slot])
        self.prior_highest[slot], self.prior_packets[slot] = highest, packets
        return expected, received

    def lost(self, slot: int) -> int:
        """Packets missing since the stream began; negative if more came than were sent."""
        return int(self.highest[slot] - self.base[slot] + 1 - self.packets[slot])

    def _find(self, keys: Int64s) -> Int64s:
        if not len(self._keys):
            return np.full(len(keys), -1, np.int64)
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[places] == keys, self._key_slots[places], -1)

    def _begin(self, owners: Int64s, ssrcs: Int64s, sequences: Int64s, rows: Int64s) -> list[NewStream]:
        begun: list[NewStream] = []
        for row in rows.tolist():
            owner, ssrc = int(owners[row]), int(ssrcs[row])
            if (owner, ssrc) in self.slots or self.count == MAX_STREAMS:
                continue
            slot = self._take_slot()
            self.slots[owner, ssrc] = slot
            self.slots_of.setdefault(owner, []).append(slot)
            self.ssrc[slot] = ssrc
            self.base[slot] = self.highest[slot] = _FIRST_CYCLE + int(sequences[row])
            self.prior_highest[slot] = self.highest[slot] - 1
            begun.append(NewStream(slot, row))
        self._index()
        return begun

    def _take_slot(self) -> int:
        if self.count == len(self.ssrc):
            names = ("ssrc", "packets", "octets", "base", "highest", "prior_packets", "prior_highest")
            for name in names:
                setattr(self, name, np.append(getattr(self, name), np.zeros(max(64, self.count), np.int64)))
        self.count += 1
        return self.count - 1

    def _index(self) -> None:
        keys = np.array([owner << 32 | ssrc for owner, ssrc in self.slots], np.int64)
        order = np.argsort(keys)
        self._keys = keys[order]
        self._key_slots = np.array(list(self.slots.values()), np.int64)[order]


class Snapshot(NamedTuple):
    """Counts of all streams at one moment, by slot."""

    packets: Int64s
    octets: Int64s
    highest: Int64s

    def since(self, start: "Snapshot", base: Int64s, chosen: Bools) -> Totals:
        """What the chosen streams received between two snapshots.

        ``base`` is the lowest sequence number of each stream, for those that began in between.
        """
        count, before = len(self.packets), len(start.packets)
        packets, octets = self.packets.copy(), self.octets.copy()
        expected = self.highest - base[:count] + 1
        packets[:before] -= start.packets
        octets[:before] -= start.octets
        expected[:before] = self.highest[:before] - start.highest
        missing = np.where(chosen[:count], expected - packets, 0)
        chosen_packets = int(packets[chosen[:count]].sum())
        chosen_octets = int(octets[chosen[:count]].sum())
        lost, duplicates = int(missing[missing > 0].sum()), int(-missing[missing < 0].sum())
        return Totals(chosen_packets, chosen_octets, lost, duplicates)
