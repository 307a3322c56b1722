"""A rendition: one layer as forwarded under one filter, with numbers of its own.

Subscribers that want the same thing of a layer (all of it, or only its lower temporal layers, or audio without
redundancy) share a rendition. What is filtered out is closed up here, once per incoming packet; the down tracks then
differ by constant offsets only, which is what lets the matrix write all copies in one loop.
"""

from typing import TYPE_CHECKING

import numpy as np

from sfu.codecs import red
from sfu.compiled.numbering import (
    FAN,
    FAN_WORDS,
    FANS,
    HISTORY_AT,
    HISTORY_SIZE,
    KEY_INDEX,
    LANE,
    MOST_FANS,
    OCTETS,
    PACKETS,
    PICTURE,
    TEMPORAL,
    TIMESTAMP,
    TL0,
    WAITS,
)
from sfu.compiled.outgoing import LANES
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
        "_row",
        "_rows",
        "fans",
        "history",
        "layer",
        "members",
        "numbering",
        "plain",
        "temporal",
        "waiting",
    )

    def __init__(self, layer: "Layer", *, temporal: int, plain: bool, history_packets: int) -> None:
        self.layer = layer
        self.temporal = temporal
        """Highest temporal layer that passes."""
        self.plain = plain
        """Redundant audio is reduced to its primary block."""
        tables = layer.tables
        self._rows = tables.renditions
        self.numbering = Numbering(self._rows)
        self._row = self.numbering.row.number
        self.history = History(history_packets, tables.store) if history_packets else None
        words = self._rows.words[self._row]
        words[TEMPORAL] = temporal
        if self.history is not None:
            words[HISTORY_AT] = self.history.records.ctypes.data
            words[HISTORY_SIZE] = history_packets
        self.members: set[DownTrack] = set()
        self.waiting: set[DownTrack] = set()
        self.fans: list[tuple[Profile, Fan]] | None = None
        """What :meth:`fanout` found out; None when that has changed."""

    @property
    def row(self) -> int:
        """In the table of renditions, where compiled loops find what changes with each packet."""
        return self._row

    @property
    def packets(self) -> int:
        """Packets of the rendition so far; a down track's count is a difference of two readings."""
        return self._word(PACKETS)

    @property
    def octets(self) -> int:
        return self._word(OCTETS)

    @property
    def timestamp(self) -> int:
        """Timestamp of the newest packet, extended."""
        return self._word(TIMESTAMP)

    @property
    def picture(self) -> int:
        """Picture id of the newest packet, after closing gaps."""
        return self._word(PICTURE)

    @property
    def tl0(self) -> int:
        return self._word(TL0)

    @property
    def key_index(self) -> int:
        return self._word(KEY_INDEX)

    @property
    def lane(self) -> int:
        """The largest lane that a packet of it has needed. It stays there: lanes are sent one after the other."""
        return self._word(LANE)

    @lane.setter
    def lane(self, lane: int) -> None:
        self._rows.word[self._row, LANE] = lane

    @property
    def waits(self) -> bool:
        """Copies of its packets go to the backlog's lanes."""
        return bool(self._rows.word[self._row, WAITS])

    @waits.setter
    def waits(self, waits: bool) -> None:
        self._rows.word[self._row, WAITS] = LANES if waits else 0

    def _word(self, column: int) -> int:
        word: int = self._rows.word[self._row, column]
        return word

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
        word, row = self._rows.word, self._row
        if not late:
            word[row, TIMESTAMP] = timestamp
            if picture >= 0:
                word[row, PICTURE], word[row, TL0], word[row, KEY_INDEX] = picture, tl0, key_index
        word[row, PACKETS] += 1
        word[row, OCTETS] += len(payload)
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

    def expect(self, down: "DownTrack") -> None:
        """Forward to a down track from the next switching point on."""
        self.waiting.add(down)
        self.layer.unready()

    def join(self, down: "DownTrack") -> None:
        """Forward to a down track from the packet at hand on."""
        self.waiting.discard(down)
        self.members.add(down)
        self._change()

    def leave(self, down: "DownTrack") -> None:
        """Forward to a down track no longer, and don't wait with it either."""
        self.waiting.discard(down)
        if down in self.members:
            self.members.remove(down)
            self._change()

    def _change(self) -> None:
        """Other down tracks from now on."""
        self.layer.unready()
        self.retire()

    def retire(self) -> None:
        """Forget the fan-outs; who empties the lanes keeps them alive until then."""
        if self.fans is not None:
            self.layer.tables.retired += [fan for _, fan in self.fans]
            self.fans = None

    def publish(self) -> bool:
        """Tell compiled loops for whom its packets are; False if there are too many kinds of them."""
        fans = self.fanout() if self.fans is None else self.fans
        if len(fans) > MOST_FANS:
            return False
        words = self._rows.words[self._row]
        words[FANS] = len(fans)
        for number, (profile, fan) in enumerate(fans):
            stream = id(self) ^ id(profile)
            words[FAN + number * FAN_WORDS : FAN + (number + 1) * FAN_WORDS] = (
                profile.number, fan.address, fan.size, stream,
            )  # fmt: skip
        return True

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
