"""All received streams of an engine by row, with what is needed to find the rows of many packets at once."""

from typing import TYPE_CHECKING

from sfu.net.lookup import Lookup
from sfu.streams.columns import LevelColumns, StreamColumns

if TYPE_CHECKING:
    from sfu.forwarding.binding import InStream


class StreamTable:
    """Shared by the transports of an engine; each is known by a number of its own, its row."""

    __slots__ = ("columns", "index", "levels", "streams")

    def __init__(self) -> None:
        self.columns = StreamColumns()
        self.levels = LevelColumns()
        self.streams: dict[int, InStream] = {}
        """By row."""
        self.index = Lookup()
        """Rows by :func:`stream_key`."""


def stream_key(owner: int, ssrc: int) -> int:
    """One number for a stream of a transport."""
    return owner << 32 | ssrc
