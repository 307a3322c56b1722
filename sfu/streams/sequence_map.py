"""How the sequence numbers of one down track map to its sources', both ways, for late packets and NACKs.

What goes out is numbered ``out = source - offset``. The offset changes when the source switches, and by one
for each packet that a layer filter drops, so that the receiver sees no hole where nothing was lost. The map
keeps the last stretches of constant offset; holes that the network made stay inside a stretch and can be
filled later.
"""

from bisect import bisect_right

RANGES = 128
"""Stretches remembered: seconds of a camera with half its frames filtered."""
NO_LAYER = -1
"""Layer key of numbers that have no source, such as padding the server made."""


class SequenceMap:
    """Stretches of output numbers, oldest first; all numbers extended, layer keys small ints."""

    __slots__ = ("_firsts", "_layers", "_limit", "_offsets")

    def __init__(self, limit: int = RANGES) -> None:
        self._limit = limit
        self._firsts: list[int] = []
        self._offsets: list[int] = []
        self._layers: list[int] = []

    def __len__(self) -> int:
        return len(self._firsts)

    def switch(self, first_out_ext: int, offset: int, layer_key: int) -> None:
        """From ``first_out_ext`` on, what goes out is ``source - offset`` of this layer.

        Also for a publisher's restarted numbers, and with NO_LAYER for a run of padding. ``first_out_ext``
        must be past everything sent.
        """
        firsts = self._firsts
        if firsts and firsts[-1] >= first_out_ext:
            assert firsts[-1] == first_out_ext, "an output number already given away"
            self._offsets[-1] = offset
            self._layers[-1] = layer_key
            return
        firsts.append(first_out_ext)
        self._offsets.append(offset)
        self._layers.append(layer_key)
        if len(firsts) > self._limit:
            del firsts[0], self._offsets[0], self._layers[0]

    def drop(self, source_ext: int) -> int:
        """Close the gap of a filtered packet, newer than all forwarded or dropped so far; returns the new
        offset.
        """
        offset = self._offsets[-1]
        self.switch(source_ext - offset, offset + 1, self._layers[-1])
        return offset + 1

    def source_of(self, out_ext: int) -> tuple[int, int] | None:
        """The (layer key, source sequence) that ``out_ext`` carried; None if forgotten or without a source.

        Numbers past the last one sent are answered as if they had been: the caller knows how far it got.
        """
        at = bisect_right(self._firsts, out_ext) - 1
        if at < 0 or self._layers[at] == NO_LAYER:
            return None
        return self._layers[at], out_ext + self._offsets[at]

    def out_of(self, layer_key: int, source_ext: int) -> int | None:
        """The number a late packet goes out with; None if it was filtered, never part of it, or forgotten."""
        firsts, offsets, layers = self._firsts, self._offsets, self._layers
        end: int | None = None
        for at in range(len(firsts) - 1, -1, -1):
            first = firsts[at]
            if layers[at] == layer_key:
                out = source_ext - offsets[at]
                if out >= first:  # stretches of one layer are in source order: no older one can hold it
                    return out if end is None or out < end else None
            end = first
        return None
