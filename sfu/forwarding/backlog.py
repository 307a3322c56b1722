"""The backlog: copies of large fan-outs, which wait to be written and sent piece by piece.

A frame to 500 people takes ten milliseconds to protect and send. In one go nobody else in the engine would get anything
meanwhile, so between two pieces the engine looks at its sockets and serves small rooms, whose copies go at once.

Packets of one stream to one destination never change places: copies leave in the order in which their packets came,
and a rendition that has some here has all further ones here, however few they are. What a copy needs of its down
track is read when it is written, so :class:`DownTrackTable` has copies for a row sent before that changes, and
forgotten when their receiver leaves. Sessions, addresses and transport-wide numbers are looked up with each piece.
"""

from collections.abc import Callable, Iterable, Sequence

from sfu.forwarding.arena import SendArena
from sfu.forwarding.copies import Added
from sfu.forwarding.matrix import TEMPLATES, Lane
from sfu.forwarding.pace import MOST
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.rendition import Rendition
from sfu.net.arrays import Int32s

WIDE = 64
"""Down tracks of a rendition up to which its copies don't wait: a quarter of a millisecond."""
PIECE = MOST
"""Copies sent at once at most: a millisecond."""
MOST_COPIES = 32_768
"""Copies that may wait: a tenth of a second. Further packets wait in the socket, where overload shows."""
MOST_PACKETS = 1_024
"""Packets whose copies may wait; one more batch of 256 comes on top."""

FEW_ROWS = 8
"""Down tracks that may change between two pieces, before all that waits is sent instead of only what is for them."""

Waiting = tuple[Rendition, Added]


class Backlog:
    """Packets wait by size class. Smaller ones, sound among them, go before larger ones."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        send: Callable[[SendArena], None],
        first_peer: Callable[[SendArena], int],
        wake: Callable[[], None],
    ) -> None:
        """``lanes`` are ordered by size. ``send`` empties an arena, ``first_peer`` tells with which peer to begin.

        ``wake`` is called when there is something to do again: :meth:`step`, until no copies are left.
        """
        self._lanes = lanes
        self._send = send
        self._first_peer = first_peer
        self._wake = wake
        self._waiting: list[list[Waiting]] = [[] for _ in lanes]
        self._renditions: set[Rendition] = set()
        self._hurried = 0
        """Rows of the down track table that something was sent for since the last piece."""
        self.copies = 0
        """Copies that wait."""

    @property
    def full(self) -> bool:
        """Whether to let packets wait in the socket."""
        return self.copies >= MOST_COPIES or sum(map(len, self._waiting)) >= MOST_PACKETS

    def takes(self, rendition: Rendition) -> bool:
        """Whether copies of a rendition's next packet have to wait."""
        return len(rendition.members) > WIDE or rendition in self._renditions

    def add(
        self,
        rendition: Rendition,
        header: bytes,
        twcc_at: int,
        number: int,
        packet: MediaPacket,
        downs: Int32s,
    ) -> None:
        """Take a packet of a rendition, as :meth:`Lane.add` does, for the lane that the rendition has now."""
        if not self.copies:
            self._wake()
        self.copies += len(downs)
        self._renditions.add(rendition)
        # The payload may be a view of what is gone when copies are written.
        added = (header, bytes(packet.payload), twcc_at, number, packet, downs)
        self._waiting[rendition.lane].append((rendition, added))

    def step(self, most: int | None = None) -> int:
        """Write and send one piece of ``most`` copies, PIECE by default and at most; returns how many it had."""
        self._hurried = 0
        for lane, waiting in zip(self._lanes, self._waiting, strict=True):
            if not lane.left:
                if not waiting:
                    continue
                self._fill(lane, waiting)
            count = lane.write(min(most or PIECE, PIECE))
            self.copies -= count
            if not self.copies:
                self._renditions.clear()
            self._send(lane.arena)
            return count
        return 0

    def settle(self, row: int) -> None:
        """Write and send the copies for a row of the down track table, if there are any."""
        if not self.copies or not self._holds(row):
            return
        self._hurried += 1
        if self._hurried > FEW_ROWS:
            while self.copies:
                self.step()
            return
        for lane, waiting in zip(self._lanes, self._waiting, strict=True):
            theirs = lane.packets(row) + [one for _, one in waiting if row in one[5]]
            for start in range(0, len(theirs), PIECE):
                lane.write_to(row, theirs[start : start + PIECE])
                self._send(lane.arena)
        self.forget(row)

    def forget(self, row: int) -> None:
        """Leave out the copies for a row of the down track table: who had it wants nothing more."""
        if not self.copies or not self._holds(row):
            return
        for lane in self._lanes:
            lane.forget(row)
        for waiting in self._waiting:
            waiting[:] = _without(waiting, row)
        self._count()

    def _count(self) -> None:
        self.copies = sum(lane.left for lane in self._lanes)
        self.copies += sum(len(one[5]) for waiting in self._waiting for _, one in waiting)
        if not self.copies:
            self._renditions.clear()

    def _holds(self, row: int) -> bool:
        if any(lane.holds(row) for lane in self._lanes):
            return True
        rows = {id(one[5]): one[5] for waiting in self._waiting for _, one in waiting}
        return any(bool((downs == row).any()) for downs in rows.values())

    def _fill(self, lane: Lane, waiting: list[Waiting]) -> None:
        """Give a lane what waits. Who receives a stream may change from one packet to the next; its order stays."""
        streams = [id(rendition) for rendition, _ in waiting[:TEMPLATES]]
        lane.take([one for _, one in waiting[:TEMPLATES]], streams, self._first_peer(lane.arena))
        del waiting[:TEMPLATES]


def _without(waiting: Iterable[Waiting], row: int) -> list[Waiting]:
    """Packets without the copies for a row, and without those packets that are for nobody else."""
    kept: dict[int, Int32s] = {}
    """By the fan-out they are of, which packets of a stream share."""
    found = []
    for rendition, (header, payload, twcc_at, number, packet, downs) in waiting:
        if id(downs) not in kept:
            kept[id(downs)] = downs[downs != row]
        left = kept[id(downs)]
        if len(left):
            found.append((rendition, (header, payload, twcc_at, number, packet, left)))
    return found
