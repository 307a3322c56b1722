"""What compiled loops need to let packets go on: rows of layers and renditions, ways to make headers, kept packets."""

import numpy as np

from sfu.compiled.numbering import RENDITION_WORDS
from sfu.compiled.outgoing import LANE_WORDS, LANES
from sfu.compiled.relay import (
    FIRST_MOVE,
    HEADER_WORDS,
    LAYER_WORDS,
    MOST_MOVES,
    MOVE_BITS,
    PLAN_HEADER,
    PLAN_MOVES,
    PLAN_SENT_AT,
    PLAN_SIZE,
    PLAN_TWCC_AT,
    PLAN_WORDS,
)
from sfu.compiled.table import MISSING
from sfu.forwarding.fan import Fan
from sfu.forwarding.history import Store
from sfu.forwarding.layout import Layout
from sfu.forwarding.profile import Profile
from sfu.net.arrays import Int64s
from sfu.net.lookup import Lookup
from sfu.streams.columns import FrameRows, Rows

PLANS = 1024
"""Plans remembered at most."""


class LayerRows(Rows):
    """One row for each layer: :mod:`sfu.compiled.relay` says what is where."""

    __slots__ = ()
    WIDTH = LAYER_WORDS


class RenditionRows(Rows):
    """One row for each rendition: :mod:`sfu.compiled.numbering` says what is where."""

    __slots__ = ()
    WIDTH = RENDITION_WORDS


class Plans:
    """How the headers of a profile are made for packets of a layout, by their numbers."""

    __slots__ = ("_count", "index", "words")

    def __init__(self) -> None:
        self.index = Lookup()
        self.words: Int64s = np.zeros((PLANS, PLAN_WORDS), np.int64)
        self._count = 0

    def ensure(self, profile: Profile, layout: Layout, number: int, size: int) -> bool:
        """Know the plan for a layout of blocks of ``size`` bytes; False if it can't be expressed, or there is no
        room.
        """
        key = profile.number, number, 0, 0
        if self.index.find(key) != MISSING:
            return True
        plan = profile.plan(layout)
        if self._count == PLANS or plan.size > 8 * HEADER_WORDS or len(plan.moves) > MOST_MOVES:
            return False
        words = self.words[self._count]
        words[PLAN_SIZE], words[PLAN_TWCC_AT], words[PLAN_MOVES] = plan.size, plan.twcc_at, len(plan.moves)
        words[PLAN_SENT_AT] = plan.size - plan.sent // 8 - 3 if plan.sent >= 0 else 0
        for at, (shift, mask, out) in enumerate(plan.moves, FIRST_MOVE):
            length = mask.bit_length() // 8
            source, target = size - shift // 8 - length, plan.size - out // 8 - length
            words[at] = source | target << MOVE_BITS | length << 2 * MOVE_BITS
        header = plan.base.to_bytes(plan.size, "big").ljust(8 * HEADER_WORDS, b"\0")
        words[PLAN_HEADER:] = np.frombuffer(header, np.int64)
        self.index.put(key, self._count)
        self._count += 1
        return True

    def clear(self) -> None:
        """Forget all: layouts have other numbers now."""
        self.index.clear()
        self._count = 0


class ForwardTables:
    """One of each per engine."""

    __slots__ = ("frames", "lanes", "layers", "plans", "renditions", "retired", "store")

    def __init__(self, store: Store | None = None) -> None:
        self.layers = LayerRows()
        self.frames = FrameRows()
        self.renditions = RenditionRows()
        self.plans = Plans()
        self.store = Store() if store is None else store
        self.lanes: Int64s = np.zeros((2 * LANES, LANE_WORDS), np.int64)
        """By size, first of copies that don't wait; each lane fills its row."""
        self.retired: list[Fan] = []
        """Fan-outs that packets in lanes may still be for; kept alive until the lanes have been emptied."""
