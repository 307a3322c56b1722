"""Datagrams of a batch: compiled loops receive, decrypt and count them, and let go on what they can.

What is left of the media goes on from here, the rest is handed to the tick.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from sfu.compiled import history, places
from sfu.compiled.batch import STAY, batch
from sfu.compiled.intake import (
    DATAGRAMS,
    DEPARTED,
    DROPPED,
    DTLS,
    LEFT,
    LEFT_OUT,
    MEDIA,
    NEWEST_US,
    RECORD_WORDS,
    RECORDS,
    REJECTED,
    ROW_BYTES,
    RTCP,
    STRANGERS,
    TOTALS,
)
from sfu.compiled.vp8 import DESCRIPTOR_WORDS
from sfu.forwarding.delivery import Delivery, MediaSink
from sfu.mux import Mux
from sfu.net.arrays import AnyArray, Int64s
from sfu.net.places import Place, Places
from sfu.net.udp import UdpPort
from sfu.peer.context import PeerContext
from sfu.rtp.header import FIXED_LENGTH

_RECORD = struct.Struct(f"={RECORD_WORDS}q")


class Other(NamedTuple):
    """A datagram that is no plain media."""

    kind: int
    """OTHER (media), RTCP, both decrypted, DTLS or STUN, of :mod:`sfu.compiled.intake`."""
    row: int
    """Of the port's."""
    owner: int
    """Row of the transport; nobody's for STUN."""
    length: int
    arrival_us: int


class Intake:
    """Takes what comes to the ports."""

    def __init__(
        self,
        mux: Mux,
        context: PeerContext,
        sink: MediaSink,
        others: Callable[[UdpPort, Other], None],
        ways_out: Mapping[int, Place | AnyArray],
        departed: Callable[[], None],
    ) -> None:
        """``others`` takes what is no plain media. ``ways_out`` are places for compiled loops that send copies;
        ``departed`` is called when they have.
        """
        self._mux = mux
        self._others = others
        self._departed = departed
        self._srtp = context.peers.srtp
        self._streams, self._known = context.streams.streams, context.streams.layouts.known
        self._delivery = Delivery(sink)
        self._records: Int64s = np.zeros((context.config.batch_size, RECORD_WORDS), np.int64)
        self._record_bytes = self._records.data.cast("B")
        self._totals: Int64s = np.zeros(TOTALS, np.int64)
        self._total: Any = self._totals.data
        self.dropped = 0
        """Datagrams that the sockets have had no room for."""
        self._drops: dict[UdpPort, int] = {}
        """Each socket counts its own."""
        self._common = {**self._places_of(context), **ways_out}
        self._places: dict[UdpPort, Places] = {}

    def _places_of(self, context: PeerContext) -> dict[int, Place | AnyArray]:
        """What compiled loops need for any port."""
        streams, logs, tables = context.streams, context.acknowledgements.logs, context.streams.forwarding
        return {
            **context.peers.srtp.places,
            places.INDEX: streams.index.place,
            places.STREAMS: streams.rows.place,
            places.METERS: streams.meters.place,
            places.LAYOUTS: streams.layouts.words,
            places.SPEECH: context.speech.numbers(),
            places.LOGS: logs.log,
            places.NOTED: logs.noted,
            places.RECORDS: self._records,
            places.TOTALS: self._totals,
            places.LAYERS: tables.layers.place,
            places.FRAMES: tables.frames.place,
            places.RENDITIONS: tables.renditions.place,
            places.PLAN_INDEX: tables.plans.index.place,
            places.PLANS: tables.plans.words,
            places.LANES: tables.lanes,
            places.RING: tables.store.ring,
            places.HEAD: tables.store.head,
            places.FOUND: np.zeros(DESCRIPTOR_WORDS, np.int64),
            places.NUMBERS: np.zeros(history.RECORD_WORDS, np.int64),
        }

    def _begin(self, port: UdpPort) -> Places:
        """Take the first batch of a port."""
        receiver = port.receiver
        found = self._places[port] = Places(
            {
                places.DATAGRAMS: receiver.rows,
                places.ORIGINS: receiver.origins,
                places.HEADERS: receiver.headers,
                places.RECEIVER: receiver.state,
                places.OWNERS: self._mux.owners[port.index].place,
                **self._common,
            }
        )
        return found

    @property
    def rejected(self) -> int:
        """Packets that failed authentication or came before the keys."""
        count: int = self._total[REJECTED]
        return count

    @property
    def left_out(self) -> int:
        """Packets of video that were not forwarded because of overload, and that the shedder has not seen."""
        count: int = self._total[LEFT_OUT]
        return count

    @property
    def left(self) -> int:
        """What is left of the newest batch and of what was in the lanes before, as LEFT of totals says."""
        left: int = self._total[LEFT]
        return left

    @property
    def newest_us(self) -> int:
        """When the newest datagram came, in Unix µs."""
        at_us: int = self._total[NEWEST_US]
        return at_us

    def take(
        self,
        port: UdpPort,
        most: int,
        now: float,
        unix_now: float,
        level: int = 0,
        onward: int = STAY,
    ) -> int:
        """Take a batch of ``most`` datagrams; returns how many there were.

        Media goes on at once, and everything else is handed on: what may change what the rest of the batch means before
        that is taken, RTCP and DTLS at the end. ``level`` is that of overload; ``onward`` says what may happen to
        copies (:func:`sfu.compiled.batch.batch`).
        """
        found = self._places.get(port) or self._begin(port)
        total = self._total
        total[DROPPED] = 0
        fd, row = -1, 0
        if port.batched:
            fd = port.fileno
        else:
            most = port.fill(most)
        last: list[Other] = []
        while True:
            self._srtp.reserve(most)
            row = batch(found.words, fd, row, most, level, onward, now, unix_now)
            if total[DEPARTED]:
                self._departed()
            if total[RECORDS]:
                self._deliver(port, total[RECORDS], last, now)
            if row >= total[DATAGRAMS]:
                break
        for other in last:
            self._others(port, other)
        if total[STRANGERS]:
            self._mux.strangers += total[STRANGERS]
            total[STRANGERS] = 0
        if total[DROPPED]:
            self._drops[port] = total[DROPPED]
            self.dropped = sum(self._drops.values())
        count: int = total[DATAGRAMS]
        return count

    def _deliver(self, port: UdpPort, count: int, last: list[Other], now: float) -> None:
        """Hand on what compiled loops have left, but for what comes ``last``."""
        memory, known = port.memory, self._known
        sound, picture = self._delivery.sound, self._delivery.picture
        for (
            kind,
            row,
            owner,
            stream_row,
            sequence,
            timestamp,
            start,
            end,
            number,
            arrival_us,
        ) in _RECORD.iter_unpack(self._record_bytes[: count * _RECORD.size]):
            if kind in (RTCP, DTLS):
                last.append(Other(kind, row, owner, end, arrival_us))
                continue
            if kind != MEDIA:
                self._others(port, Other(kind, row, owner, end, arrival_us))
                continue
            stream = self._streams[stream_row]
            deliver = sound if stream.audio else picture
            layout = known[number]
            assert layout is not None
            at = row * ROW_BYTES
            deliver(
                stream,
                sequence,
                timestamp,
                memory[at + 1] & 0x80,
                stream.slot,
                memory[at + start : at + end],
                layout,
                int.from_bytes(memory[at + FIXED_LENGTH : at + start], "big"),
                now,
            )
