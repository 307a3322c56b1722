"""All received streams of an engine by row, with what compiled loops need to find and count their packets."""

from typing import TYPE_CHECKING

from sfu.compiled.intake import REPORTER, SIZE, SOURCE
from sfu.compiled.streams import LAYOUT_BITS, LAYOUTS
from sfu.forwarding.history import STORE_BYTES, Store
from sfu.forwarding.layout import Layout
from sfu.forwarding.layout_table import UNKNOWN, LayoutTable
from sfu.forwarding.profile import Profile
from sfu.forwarding.tables import ForwardTables
from sfu.net.lookup import Lookup
from sfu.streams.columns import MeterRows, StreamRows

if TYPE_CHECKING:
    from sfu.forwarding.binding import InStream

_NUMBER = (1 << LAYOUT_BITS) - 1
_CANDIDATES = 4
_BUT_ONE = (1 << LAYOUT_BITS * (_CANDIDATES - 1)) - 1


class StreamTable:
    """Shared by the transports of an engine; each is known by a number of its own, its row."""

    __slots__ = ("forwarding", "index", "layouts", "meters", "rows", "streams")

    def __init__(self, store_bytes: int = STORE_BYTES) -> None:
        """``store_bytes``: of memory for packets that may have to be sent again, STORE_BYTES at least."""
        self.rows = StreamRows()
        self.meters = MeterRows()
        self.layouts = LayoutTable()
        self.forwarding = ForwardTables(Store(max(store_bytes, STORE_BYTES), self.layouts))
        self.streams: dict[int, InStream] = {}
        """By row."""
        self.index = Lookup()
        """Rows by :func:`stream_key`, and what is known by :func:`reporter_key`."""

    def expect(self, row: int, layout: Layout, size: int) -> None:
        """A stream has sent a packet of this layout, with a block of ``size`` bytes, and will send more of them."""
        if self.layouts.full:  # numbers given before will mean nothing
            self.layouts.clear()
            self.forwarding.plans.clear()
            self.rows.words[:, LAYOUTS] = 0
        number = self.layouts.number(layout, size)
        candidates = self.rows.word[row, LAYOUTS]
        if number == UNKNOWN or number in _numbers(candidates):
            return
        self.rows.word[row, LAYOUTS] = (candidates & _BUT_ONE) << LAYOUT_BITS | number

    def plan(self, profile: Profile, layout: Layout) -> None:
        """Let compiled loops make headers of a profile for packets of a layout, if that has a number."""
        number = self.layouts.number_of(layout)
        if number != UNKNOWN:
            self.forwarding.plans.ensure(profile, layout, number, int(self.layouts.words[number, SIZE]))

    def forget_layouts(self, row: int) -> None:
        """What a stream's extensions mean has changed."""
        self.rows.word[row, LAYOUTS] = 0


def _numbers(candidates: int) -> list[int]:
    return [candidates >> shift & _NUMBER for shift in range(0, LAYOUT_BITS * _CANDIDATES, LAYOUT_BITS)]


def stream_key(owner: int, ssrc: int) -> tuple[int, int, int, int]:
    """A stream of a transport, for the index."""
    return owner, ssrc, SOURCE, 0


def reporter_key(owner: int, ssrc: int) -> tuple[int, int, int, int]:
    """Under which SSRC a transport sends RTCP, for the index."""
    return owner, ssrc, REPORTER, 0
