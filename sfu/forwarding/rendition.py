"""A rendition: one layer as forwarded under one filter, with numbers of its own.

Subscribers that want the same thing of a layer (all of it, or only its lower temporal layers, or audio without
redundancy) share a rendition. What is filtered out is closed up here, once per incoming packet; the down tracks then
differ by constant offsets only, which is what lets the matrix write all copies in one loop.
"""

from typing import TYPE_CHECKING

import numpy as np

from sfu.codecs import red
from sfu.forwarding.fan import Fan, fan_of
from sfu.forwarding.history import History
from sfu.forwarding.numbering import Numbering
from sfu.forwarding.packet import MediaPacket, with_picture
from sfu.forwarding.profile import Profile

if TYPE_CHECKING:
    from sfu.forwarding.downtrack import DownTrack
    from sfu.forwarding.uptrack import Layer

ALL_TEMPORAL = 7
REDUNDANT_SLOT = 1


class Rendition:
    """Members are the down tracks that forward it now, waiting those that will from the next switching point on."""

    __slots__ = (
        "fans",
        "history",
        "key_index",
        "lane",
        "layer",
        "members",
        "numbering",
        "octets",
        "packets",
        "picture",
        "plain",
        "temporal",
        "timestamp",
        "tl0",
        "waiting",
    )

    def __init__(self, layer: "Layer", *, temporal: int, plain: bool, history_packets: int) -> None:
        self.layer = layer
        self.temporal = temporal
        """Highest temporal layer that passes."""
        self.plain = plain
        """Redundant audio is reduced to its primary block."""
        self.numbering = Numbering()
        self.history = History(history_packets) if history_packets else None
        self.members: set[DownTrack] = set()
        self.waiting: set[DownTrack] = set()
        self.packets = 0
        """Packets of the rendition so far; a down track's count is a difference of two readings."""
        self.octets = 0
        self.timestamp = 0
        """Timestamp of the newest packet, extended."""
        self.picture = 0
        """Picture id of the newest packet, after closing gaps."""
        self.tl0 = 0
        self.key_index = 0
        self.lane = 0
        """The largest lane that a packet of it has needed. It stays there: lanes are sent one after the other."""
        self.fans: list[tuple[Profile, Fan]] | None = None
        """What :meth:`fanout` found out; None when that has changed."""

    @property
    def unused(self) -> bool:
        """Nobody forwards it or waits for it."""
        return not self.members and not self.waiting

    def take(self, sequence: int, packet: MediaPacket) -> tuple[int, MediaPacket] | None:
        """Number a packet for this rendition; None when it is filtered out or too late to place."""
        payload, timestamp, _, slot, _, _, _, picture_start, temporal, _, picture, _, tl0, _, key_index, _ = (
            packet
        )
        numbering = self.numbering
        if temporal > self.temporal:
            numbering.drop(sequence, new_picture=picture_start)
            return None
        if slot == REDUNDANT_SLOT and self.plain:
            packet = _primary(packet)
            payload = packet.payload
        late = sequence < numbering.highest
        numbers = numbering.forward(sequence)
        if numbers is None:
            return None
        out, picture_offset = numbers
        if picture >= 0 and picture_offset:
            picture -= picture_offset
            packet = with_picture(packet, picture)
        if not late:
            self.timestamp = timestamp
            if picture >= 0:
                self.picture, self.tl0, self.key_index = picture, tl0, key_index
        self.packets += 1
        self.octets += len(payload)
        if self.history is not None:
            self.history.store(out, packet)
        return out, packet

    def preview(self, sequence: int, packet: MediaPacket) -> tuple[int, MediaPacket] | None:
        """What :meth:`take` would return but for the payload; None for a packet that nobody can start at."""
        number = self.numbering.preview(sequence)
        if number is None or packet.temporal > self.temporal:
            return None
        if packet.picture >= 0:
            packet = with_picture(packet, packet.picture - self.numbering.picture_offset)
        return number, packet

    def join(self, down: "DownTrack") -> None:
        """Forward to a down track from the packet at hand on."""
        self.waiting.discard(down)
        self.members.add(down)
        self.fans = None

    def leave(self, down: "DownTrack") -> None:
        """Forward to a down track no longer, and don't wait with it either."""
        self.waiting.discard(down)
        if down in self.members:
            self.members.remove(down)
            self.fans = None

    def fanout(self) -> list[tuple[Profile, Fan]]:
        """Rows of the members' down tracks, by header extension profile, in order of their destinations."""
        if self.fans is None:
            rows: dict[Profile, list[DownTrack]] = {}
            for down in self.members:
                rows.setdefault(down.profile, []).append(down)
            self.fans = [
                (profile, fan_of(np.array([down.row for down in sorted(downs, key=_destination)], np.int32)))
                for profile, downs in rows.items()
            ]
        return self.fans


def _primary(packet: MediaPacket) -> MediaPacket:
    """Redundant audio without the redundancy; as it is when it makes no sense."""
    found = red.primary(memoryview(packet.payload))
    if found is None:
        return packet
    _, at, size = found
    return packet._replace(payload=packet.payload[at : at + size], slot=0)


def _destination(down: "DownTrack") -> int:
    return down.peer
