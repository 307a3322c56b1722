"""The backlog: copies of large fan-outs, which wait to be written and sent piece by piece.

A frame to 500 people takes ten milliseconds to protect and send. In one go nobody else in the engine would get anything
meanwhile, so between two pieces the engine looks at its sockets and serves small rooms, whose copies go at once.

Packets of one stream to one destination never change places: copies leave in the order in which their packets came,
and a rendition that has some here has all further ones here, however few they are. What a copy needs of its down
track is read when it is written, so :class:`DownTrackTable` has copies for a row sent before that changes, and
forgotten when their receiver leaves. Sessions, addresses and transport-wide numbers are looked up with each piece.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from sfu.forwarding.arena import SendArena
from sfu.forwarding.fan import Fan, fan_of
from sfu.forwarding.matrix import TEMPLATES, Lane
from sfu.forwarding.pace import MOST
from sfu.forwarding.packet import MediaPacket, packet_of
from sfu.forwarding.rendition import Rendition

WIDE = 64
"""Down tracks of a rendition up to which its copies don't wait: a quarter of a millisecond."""
PIECE = MOST
"""Copies sent at once at most, however little they take."""
MOST_COPIES = 32_768
"""Copies that may wait: a tenth of a second. Further packets wait in the socket, where overload shows."""
MOST_PACKETS = 1_024
"""Packets whose copies may wait; one more batch of 256 comes on top."""

ASIDE = 64
"""Packets for one down track that are sent before the others at once."""
FEW_ROWS = 8
"""Down tracks that may change between two pieces, before all that waits is sent instead of only what is for them."""


class Waiting(NamedTuple):
    """What :meth:`Lane.add` takes."""

    header: bytes
    twcc_at: int
    number: int
    packet: MediaPacket
    fan: Fan
    stream: int


class Backlog:
    """Packets wait by size class. Smaller ones, sound among them, go before larger ones."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        asides: Sequence[Lane],
        send: Callable[[SendArena], None],
        first_peer: Callable[[SendArena], int],
        wake: Callable[[], None],
    ) -> None:
        """``lanes`` are ordered by size; ``asides``, with the same arenas, are for what may not wait.

        ``send`` empties an arena, ``first_peer`` tells with which peer to begin.

        ``wake`` is called when there is something to do again: :meth:`step`, until no copies are left.
        """
        self._lanes = lanes
        self._asides = asides
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
        copies = self.copies
        return copies > 0 and (copies >= MOST_COPIES or sum(map(len, self._waiting)) >= MOST_PACKETS)

    def takes(self, rendition: Rendition) -> bool:
        """Whether copies of a rendition's next packet have to wait."""
        return len(rendition.members) > WIDE or rendition in self._renditions

    def add(self, rendition: Rendition, added: Waiting) -> None:
        """Take a packet of a rendition, as :meth:`Lane.add` does, for the lane that the rendition has now."""
        if not self.copies:
            self._wake()
        packet, fan = added.packet, added.fan
        self.copies += fan.size
        self._renditions.add(rendition)
        if type(packet.payload) is not bytes:  # a view of what is gone when copies are written
            packet = packet_of((bytes(packet.payload), *packet[1:]))
            added = added._replace(packet=packet)
        self._waiting[rendition.lane].append(added)

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
        only = fan_of(np.array([row], np.int32))
        for lane, aside, waiting in zip(self._lanes, self._asides, self._waiting, strict=True):
            lane.write_to(row)
            for header, twcc_at, number, packet, fan, stream in waiting:
                if row in fan.rows:
                    aside.add(header, twcc_at, number, packet, only, stream)
            aside.expand()
            self._send(lane.arena)
        self._drop(row)

    def forget(self, row: int) -> None:
        """Leave out the copies for a row of the down track table: who had it wants nothing more."""
        if self.copies and self._holds(row):
            self._drop(row)

    def _drop(self, row: int) -> None:
        for lane in self._lanes:
            lane.forget(row)
        for waiting in self._waiting:
            waiting[:] = _without(waiting, row)
        self.copies = sum(lane.left for lane in self._lanes)
        self.copies += sum(one.fan.size for waiting in self._waiting for one in waiting)
        if not self.copies:
            self._renditions.clear()

    def _holds(self, row: int) -> bool:
        if any(lane.holds(row) for lane in self._lanes):
            return True
        fans = {one.fan.address: one.fan for waiting in self._waiting for one in waiting}
        return any(bool((fan.rows == row).any()) for fan in fans.values())

    def _fill(self, lane: Lane, waiting: list[Waiting]) -> None:
        """Give a lane what waits. Who receives a stream may change from one packet to the next; its order stays."""
        for added in waiting[:TEMPLATES]:
            lane.add(*added)
        lane.seal(self._first_peer(lane.arena))
        del waiting[:TEMPLATES]


def _without(waiting: Iterable[Waiting], row: int) -> list[Waiting]:
    """Packets without the copies for a row, and without those packets that are for nobody else."""
    kept: dict[int, Fan] = {}
    """By where the fan-out is that they were for, which packets of a stream share."""
    found = []
    for added in waiting:
        fan = added.fan
        left = kept.get(fan.address)
        if left is None:
            left = kept[fan.address] = fan_of(fan.rows[fan.rows != row])
        if left.size:
            found.append(added._replace(fan=left))
    return found
