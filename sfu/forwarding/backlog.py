"""The backlog: copies of large fan-outs, which wait to be written and sent piece by piece.

A frame to 500 people takes ten milliseconds to protect and send. In one go nobody else in the engine would get anything
meanwhile, so between two pieces the engine looks at its sockets and serves small rooms, whose copies go at once.

Packets of one stream to one destination never change places: copies leave in the order in which their packets came,
and a rendition that has some here has all further ones here, however few they are. What a copy needs of its down
track is read when it is written, so :class:`DownTrackTable` has copies for a row sent before that changes, and
forgotten when their receiver leaves. Sessions, addresses and transport-wide numbers are looked up with each piece.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from sfu.forwarding.arena import SendArena
from sfu.forwarding.fan import Fan
from sfu.forwarding.matrix import TEMPLATES, Lane
from sfu.forwarding.pace import MOST
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.rendition import Rendition

WIDE = 64
"""Down tracks of a rendition up to which its copies don't wait: a quarter of a millisecond."""
PIECE = MOST
"""Copies sent at once at most, however little they take."""
MOST_COPIES = 32_768
"""Copies that may wait: a tenth of a second. Further packets wait in the socket, where overload shows."""
MOST_PACKETS = TEMPLATES // 2
"""Packets of a size whose copies may wait for those before them; one more batch comes on top."""

ASIDE = 64
"""Packets for one down track that are sent before the others at once."""
FEW_ROWS = 8
"""Down tracks that may change between two pieces, before all that waits is sent instead of only what is for them."""


class Outlet(Protocol):
    """Where copies go."""

    def send(self, arena: SendArena) -> None:
        """Send what is in an arena, and empty it."""

    def write_piece(self, lane: Lane, most: int) -> int:
        """Write and send some of the copies that were sealed in a lane; returns how many."""

    def resume_at(self, arena: SendArena) -> int:
        """The peer to begin with; -1 for the first there is."""


class Backlog:
    """Packets wait by size class. Smaller ones, sound among them, go before larger ones."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        asides: Sequence[Lane],
        outlet: Outlet,
        wake: Callable[[], None],
    ) -> None:
        """``lanes`` are ordered by size; ``asides``, with the same arenas, are for what may not wait.

        ``wake`` is called when there is something to do again: :meth:`step`, until no copies are left.
        """
        self._lanes = lanes
        self._asides = asides
        self._outlet = outlet
        self._wake = wake
        self.waits = False
        """Whether there may be something to :meth:`step` for."""
        self._hurried = 0
        """Rows of the down track table that something was sent for since the last piece."""

    @property
    def copies(self) -> int:
        """Copies that wait."""
        copies = 0
        for lane in self._lanes:
            copies += lane.copies + lane.left
        return copies

    @property
    def full(self) -> bool:
        """Whether to let packets wait in the socket."""
        if not self.waits:
            return False
        copies = packets = 0
        for lane in self._lanes:
            copies += lane.copies + lane.left
            packets = max(packets, lane.packets)
        return copies >= MOST_COPIES or packets >= MOST_PACKETS

    @property
    def gathers(self) -> bool:
        """Whether there are packets whose copies are yet to be put in order: their fan-outs are needed."""
        return any(lane.packets for lane in self._lanes)

    def takes(self, rendition: Rendition) -> bool:
        """Whether copies of a rendition's next packet have to wait."""
        rendition.waits = len(rendition.members) > WIDE or (rendition.waits and self.copies > 0)
        return rendition.waits

    def add(
        self,
        rendition: Rendition,
        header: bytes,
        twcc_at: int,
        number: int,
        packet: MediaPacket,
        fan: Fan,
        stream: int,
    ) -> None:
        """Take a packet of a rendition, as :meth:`Lane.add` does, for the lane that the rendition has now."""
        if not self.waits:
            self.rouse()
        lane = self._lanes[rendition.lane]
        while lane.packets == TEMPLATES:
            self.step()
        lane.add(header, twcc_at, number, packet, fan, stream)

    def look(self) -> None:
        """See whether compiled loops have added anything."""
        if self.gathers:
            self.rouse()

    def rouse(self) -> None:
        """Compiled loops have added something."""
        self.waits = True
        self._wake()

    def step(self, most: int | None = None) -> int:
        """Write and send one piece of ``most`` copies, PIECE by default and at most; returns how many it had."""
        self._hurried = 0
        for lane in self._lanes:
            left = lane.left
            if not left and lane.packets:
                lane.begin(self._outlet.resume_at(lane.arena))
                left = lane.left
            if left:
                count = self._outlet.write_piece(lane, min(most or PIECE, PIECE))
                self.waits = count < left or self.copies > 0
                return count
        self.waits = False
        return 0

    def settle(self, row: int) -> None:
        """Write and send the copies for a row of the down track table, if there are any."""
        if not self.copies or not any(lane.holds(row) for lane in self._lanes):
            return
        self._hurried += 1
        if self._hurried > FEW_ROWS:
            while self.copies:
                self.step()
            return
        for lane, aside in zip(self._lanes, self._asides, strict=True):
            lane.write_to(row)
            aside.borrow(lane.records_for(row), row)
            self._outlet.send(lane.arena)
            lane.forget(row)

    def forget(self, row: int) -> None:
        """Leave out the copies for a row of the down track table: who had it wants nothing more."""
        if self.copies:
            for lane in self._lanes:
                lane.forget(row)
