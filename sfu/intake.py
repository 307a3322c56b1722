"""Datagrams of a batch: compiled loops decrypt and count them, and what is plain media goes on from here.

The rest is handed to the tick, in order.
"""

import struct
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from sfu.compiled import history, intake
from sfu.compiled.intake import (
    DROPPED,
    LEFT_OUT,
    MEDIA,
    NEWEST_US,
    PACKETS,
    RECORD_WORDS,
    RECORDS,
    REJECTED,
    STRANGERS,
    TOTALS,
)
from sfu.compiled.relay import relay
from sfu.compiled.vp8 import DESCRIPTOR_WORDS
from sfu.forwarding.delivery import Delivery, MediaSink
from sfu.mux import Mux
from sfu.net.arrays import Int64s
from sfu.net.peers import PeerTable
from sfu.net.udp import ROW_BYTES, UdpPort
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
    """Takes what a port has filled its rows with."""

    def __init__(self, mux: Mux, context: PeerContext, sink: MediaSink) -> None:
        self._mux = mux
        self._peers: PeerTable = context.peers
        self._table = context.streams
        self._logs = context.acknowledgements.logs
        self._speech = context.speech.numbers()
        self._delivery = Delivery(sink)
        size = context.config.batch_size
        self._records: Int64s = np.zeros((size, RECORD_WORDS), np.int64)
        self._record_bytes = self._records.data.cast("B")
        self._totals: Int64s = np.zeros(TOTALS, np.int64)
        self._total: Any = self._totals.data
        self._drops: dict[int, int] = {}
        """By port: each socket counts its own."""
        self._found: Int64s = np.zeros(DESCRIPTOR_WORDS, np.int64)
        self._numbers: Int64s = np.zeros(history.RECORD_WORDS, np.int64)
        self._call = 0

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
    def dropped(self) -> int:
        """Datagrams that the sockets have had no room for."""
        return sum(self._drops.values())

    @property
    def newest_us(self) -> int:
        """When the newest datagram came, in Unix µs."""
        at_us: int = self._total[NEWEST_US]
        return at_us

    def take(
        self, port: UdpPort, count: int, now: float, abs_send_time: int = 0, level: int = 0
    ) -> Iterator[Other]:
        """Take the batch of ``count`` datagrams; media goes on at once, everything else is returned one by one.

        ``abs_send_time`` is the time for headers of packets that go on, ``level`` that of overload.

        What is returned may change what the rest of the batch means, so it is to be dealt with before the next.
        """
        receiver, table, logs = port.receiver, self._table, self._logs
        owners = self._mux.owners[port.index]
        fallback_us = 0 if port.timed else time.time_ns() // 1000
        total = self._total
        total[DROPPED] = 0
        row = 0
        while row < count:
            row = intake.take(
                receiver.rows,
                receiver.words,
                receiver.origins,
                receiver.headers,
                row,
                count,
                owners.table,
                *self._peers.srtp.tables(count),
                table.index.table,
                table.rows.words,
                table.rows.reals,
                table.meters.words,
                table.meters.reals,
                table.layouts.words,
                self._speech,
                logs.log,
                logs.noted,
                self._records,
                self._totals,
                fallback_us,
                now,
            )
            if total[STRANGERS]:
                self._mux.strangers += total[STRANGERS]
                total[STRANGERS] = 0
            if total[PACKETS]:
                self._relay(port, abs_send_time, level, now)
            if total[RECORDS]:
                yield from self._deliver(port.memory, total[RECORDS], now)
        if total[DROPPED]:
            self._drops[port.index] = total[DROPPED]

    def _relay(self, port: UdpPort, abs_send_time: int, level: int, now: float) -> None:
        table = self._table
        tables = table.forwarding
        self._call += 1
        relay(
            port.receiver.rows,
            self._records,
            self._totals,
            table.rows.words,
            tables.layers.words,
            tables.layers.reals,
            tables.frames.reals,
            tables.renditions.words,
            tables.plans.index.table,
            tables.plans.words,
            table.layouts.words,
            tables.lanes,
            tables.store.ring,
            tables.store.head,
            self._found,
            self._numbers,
            abs_send_time,
            self._call,
            level,
            now,
        )

    def _deliver(self, memory: memoryview, count: int, now: float) -> Iterator[Other]:
        streams, known = self._table.streams, self._table.layouts.known
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
            if kind != MEDIA:
                yield Other(kind, row, owner, end, arrival_us)
                continue
            stream = streams[stream_row]
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
