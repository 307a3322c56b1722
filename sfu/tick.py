"""The tick: drain, decrypt in place, read and forward each packet, then write and send all copies at once.

Media of a batch is decrypted by one ``map`` over raw pointers. RTCP and DTLS come after it.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Any

import numpy as np

from sfu.appetite import Appetite
from sfu.decryption import Decryption
from sfu.forwarding.backlog import Backlog
from sfu.forwarding.bulk import Bulk
from sfu.forwarding.forwarder import Forwarder
from sfu.forwarding.matrix import Lane
from sfu.forwarding.pace import Pace
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.shedding import Shedder
from sfu.forwarding.uptrack import Layer
from sfu.intake import MANY, Intake
from sfu.mux import Mux
from sfu.net import srtp
from sfu.net.arrays import Bools, Int64s, UInt64s
from sfu.net.egress import Egress
from sfu.net.tcp import TcpPeer
from sfu.net.udp import ROW_BYTES, AddressKey, UdpPort
from sfu.overload import Overload
from sfu.peer.context import PeerContext
from sfu.peer.feedback import Feedback
from sfu.peer.transport import Transport
from sfu.rtp.extensions import abs_send_time
from sfu.rtp.header import FIXED_HEAD, RtpHead

_ROW_HEAD = struct.Struct(f"{FIXED_HEAD.format}{ROW_BYTES - FIXED_HEAD.size}x")
_SHORTEST_RTP = 12
_SHORTEST_RTCP = 8
_Datagram = tuple[tuple[AddressKey, int, int, int], RtpHead]
"""What a port says of a datagram, and its first fields (whatever they are)."""


class _Media:
    """RTP packets of one batch that are yet to be decrypted, by column."""

    __slots__ = ("arrived", "pointers", "sessions", "sizes")

    def __init__(self) -> None:
        self.arrived: list[tuple[Transport, int, RtpHead, int]] = []
        """Transport, where the packet is in the port's memory, first fields, time in Unix µs."""
        self.sessions: list[Any] = []
        self.pointers: list[Any] = []
        self.sizes: list[int] = []


class Tick:
    """Moves packets; implements MediaSink for the transports' ingress."""

    def __init__(
        self,
        mux: Mux,
        forwarder: Forwarder,
        lanes: Sequence[Lane],
        backlog: Backlog,
        egress: Egress,
        context: PeerContext,
        *,
        shed: bool = True,
    ) -> None:
        """``shed``: leave out video when overloaded."""
        self._mux = mux
        self._forwarder = forwarder
        self._lanes = lanes
        self._backlog = backlog
        self._egress = egress
        self._shed = shed
        self.overload = Overload()
        self.shedder = Shedder(self.overload)
        self.feedback: dict[Transport, Feedback] = {}
        self._length: Any = srtp.ffi.new("int *")
        self._decryption = Decryption()
        bulk = Bulk(
            context.streams,
            context.speech,
            self,
            context.acknowledgements.record,
            lambda row: mux.by_row[row].ingress,
        )
        self._intake = Intake(mux, context.peers, bulk, self._decryption)
        self.many = MANY
        """From so many datagrams on a batch's media is taken by column."""
        self._rows: dict[UdpPort, list[Any]] = {}
        self._now = 0.0
        self._unix_now = 0.0
        self._abs_send_time = 0
        self._sheds = False
        self._rejected = 0
        self._at_once_at = -inf
        """When copies last went that didn't wait."""
        self.pace = Pace()
        self._appetite = Appetite(context.config.batch_size)
        self._taken = 0
        """Datagrams since copies were last sent, …"""
        self._packets = 0
        """… and how many had been sent then."""
        self.started_layers: list[Layer] = []
        """Layers whose first packet came since housekeeping last looked."""

    @property
    def rejected(self) -> int:
        """Packets that failed authentication or came before the keys."""
        return self._rejected + self._intake.rejected

    def begin(self, now: float, unix_now: float) -> None:
        """Set the time of this tick: monotonic and Unix, in seconds."""
        self._now = now
        self._unix_now = unix_now
        self._abs_send_time = abs_send_time(unix_now)
        self._sheds = not self.shedder.idle

    def drain(self, port: UdpPort) -> bool:
        """Take one batch from a UDP port; False when the socket was empty before the batch was full."""
        asked = min(self._appetite.datagrams, port.batch_size)
        count = port.fill(asked)
        if not count:
            return False
        columns = port.columns() if count >= self.many else None
        if columns is None:
            datagrams = zip(port.datagrams(), _ROW_HEAD.iter_unpack(port.memory), strict=False)
            arrival_us = self._sort(port, datagrams)
        else:
            arrival_us = int(columns[2][-1])
            media = self._intake.take(port, columns, self._pointers(port), self._now)
            self._sort(port, _rest(port, columns, ~media))
        self._taken += count
        full = count == asked
        if self._shed:
            waited_s = self._unix_now - arrival_us / 1e6 if port.timed else None
            self.overload.received(waited_s, self._now, full=full)
        return full

    def _sort(self, port: UdpPort, datagrams: Iterable[_Datagram]) -> int:
        """Take datagrams one by one; returns when the last of them came."""
        transports = self._mux.by_udp[port.index]
        pointers = self._pointers(port)
        media = _Media()
        others: list[tuple[Transport, int, int, int]] = []
        arrival_us = 0
        for (key, row, length, arrival_us), head in datagrams:
            transport = transports.get(key)
            if 128 <= head[0] <= 191 and not 192 <= head[1] <= 223 and transport is not None:
                pair = transport.srtp
                if pair is None or length < _SHORTEST_RTP:
                    self._rejected += 1
                    continue
                media.arrived.append((transport, row * ROW_BYTES, head, arrival_us))
                media.sessions.append(pair.rx_ptr)
                media.pointers.append(pointers[row])
                media.sizes.append(length)
            elif length < 2:
                continue
            elif head[0] <= 3:
                self._mux.udp_check(port, key, bytes(port.data(row, length)), self._now)
            elif transport is None:
                self._mux.strangers += 1
            else:
                others.append((transport, row, length, head[0]))
        if media.arrived:
            self._media(media, port.memory)
        if others:
            self._others(others, port, pointers)
        return arrival_us

    def tcp(self, peer: TcpPeer, data: bytes) -> None:
        """Take one datagram from an ICE-TCP connection."""
        if len(data) < 2:
            return
        if data[0] <= 3:
            self._mux.tcp_check(peer, data, self._now)
            return
        transport = self._mux.by_tcp.get(peer)
        if transport is None:
            self._mux.strangers += 1
        elif 128 <= data[0] <= 191 and len(data) <= ROW_BYTES:
            self._tcp_media(transport, data)
        elif 20 <= data[0] <= 63:
            transport.dtls_record(data)

    def plain(self, transport: Transport, packet: bytes) -> None:
        """Take one well-formed RTP packet of a client in our own process, as if it had just been decrypted."""
        head = FIXED_HEAD.unpack_from(packet)
        arrival_us = int(self._unix_now * 1e6)
        transport.ingress.receive(memoryview(packet), 0, len(packet), head, arrival_us, self._now)

    def plain_rtcp(self, transport: Transport, packet: bytes) -> None:
        """Take RTCP of a client in our own process."""
        self.feedback[transport].receive(packet, self._now, self._unix_now, self.resend)

    def finish(self) -> None:
        """Write all copies that don't wait, and send them."""
        refused = self._egress.counters.refused
        if any(lane.added for lane in self._lanes):
            self._at_once_at = self._now
        self._forwarder.expand(together=not self.overload.congested(self._now))
        for lane in self._lanes:
            self._egress.send(lane.arena)
        self._sent(refused)
        if self._taken:
            self._appetite.had(self._taken, self._egress.counters.packets - self._packets)
            self._taken = 0
        self._packets = self._egress.counters.packets

    def go_on(self) -> int:
        """Write and send some of the copies that wait; returns how many."""
        refused = self._egress.counters.refused
        count = self._backlog.step(self.pace.piece(self._now - self._at_once_at))
        self._sent(refused)
        self._packets = self._egress.counters.packets
        return count

    def resend(self, peer: int, packet: bytes) -> None:
        """Send one finished RTP packet (a retransmission) with the tick's other packets.

        What an overloaded kernel refused is asked for again by everybody; that would keep it overloaded.
        """
        if self.overload.congested(self._now):
            return
        for lane in self._lanes:
            if len(packet) <= lane.largest:
                if lane.arena.count == lane.arena.capacity:
                    self._egress.send(lane.arena)
                lane.arena.append(peer, packet)
                return

    # --- MediaSink ---

    def media(self, layer: Layer, sequence: int, packet: MediaPacket) -> None:
        if self._sheds and self.shedder.takes(layer, sequence, packet, self._now):
            return
        self._forwarder.forward(layer, sequence, packet, self._abs_send_time, self._now)

    def layer_started(self, layer: Layer) -> None:
        self.started_layers.append(layer)

    # --- inside ---

    def _sent(self, refused: int) -> None:
        """After sending; ``refused`` is the counter before it."""
        if self._shed:
            self.overload.sent(self._egress.counters.refused - refused, self._now)

    def _media(self, media: _Media, memory: memoryview) -> None:
        """Decrypt a batch in place, and let each packet go its way."""
        statuses, sizes = self._decryption.run(media.sessions, media.pointers, media.sizes)
        lengths = sizes.tolist()
        now = self._now
        for (transport, at, head, arrival_us), status, length in zip(
            media.arrived, statuses, lengths, strict=True
        ):
            if status:
                self._rejected += 1
                continue
            transport.ingress.receive(memory, at, length, head, arrival_us, now)

    def _others(self, others: list[tuple[Transport, int, int, int]], port: UdpPort, rows: list[Any]) -> None:
        """Take a batch's RTCP and DTLS."""
        for transport, row, length, first in others:
            if 128 <= first <= 191:
                self._rtcp(transport, port.data(row, length), rows[row])
        for transport, row, length, first in others:
            if 20 <= first <= 63:
                transport.dtls_record(bytes(port.data(row, length)))

    def _rtcp(self, transport: Transport, data: memoryview, pointer: Any) -> None:
        """Take one RTCP packet."""
        pair = transport.srtp
        size = self._length
        size[0] = len(data)
        ssrc = int.from_bytes(data[4:8], "big")
        if pair is None or len(data) < _SHORTEST_RTCP or srtp.unprotect_rtcp(pair.rx_ptr, pointer, size):
            self._rejected += 1
            return
        transport.ingress.authenticated(ssrc)
        self.feedback[transport].receive(bytes(data[: size[0]]), self._now, self._unix_now, self.resend)

    def _tcp_media(self, transport: Transport, data: bytes) -> None:
        """Take RTP or RTCP that came over TCP."""
        row = bytearray(ROW_BYTES)
        row[: len(data)] = data
        pointer = srtp.ffi.from_buffer(row)
        if 192 <= data[1] <= 223:
            self._rtcp(transport, memoryview(row)[: len(data)], pointer)
            return
        pair = transport.srtp
        if pair is None or len(data) < _SHORTEST_RTP:
            self._rejected += 1
            return
        media = _Media()
        media.arrived.append((transport, 0, FIXED_HEAD.unpack_from(row), int(self._unix_now * 1e6)))
        media.sessions.append(pair.rx_ptr)
        media.pointers.append(pointer)
        media.sizes.append(len(data))
        self._media(media, memoryview(row))

    def _pointers(self, port: UdpPort) -> list[Any]:
        """libsrtp wants a C pointer to each row; they are made once per port."""
        rows = self._rows.get(port)
        if rows is None:
            base = srtp.ffi.cast("unsigned char *", port.rows.ctypes.data)
            rows = self._rows[port] = [base + index * ROW_BYTES for index in range(len(port.rows))]
        return rows


def _rest(port: UdpPort, columns: tuple[UInt64s, Int64s, Int64s], left: Bools) -> Iterator[_Datagram]:
    """Some rows of a port, one by one."""
    rows = np.flatnonzero(left)
    keys, lengths, arrivals_us = (column[rows].tolist() for column in columns)
    for key, row, length, arrival_us in zip(keys, rows.tolist(), lengths, arrivals_us, strict=True):
        yield (key, row, length, arrival_us), FIXED_HEAD.unpack_from(port.memory, row * ROW_BYTES)
