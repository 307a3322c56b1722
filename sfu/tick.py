"""The tick: drain, decrypt in place, read and forward each packet, then write and send all copies at once."""

from collections.abc import Sequence
from typing import Any

from sfu.forwarding.forwarder import Forwarder
from sfu.forwarding.matrix import Lane
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.uptrack import Layer
from sfu.mux import Mux
from sfu.net import srtp
from sfu.net.egress import Egress
from sfu.net.tcp import TcpPeer
from sfu.net.udp import ROW_BYTES, UdpPort
from sfu.peer.feedback import Feedback
from sfu.peer.transport import Transport
from sfu.rtp.extensions import abs_send_time

BATCHES_PER_TURN = 4
"""Batches drained before the event loop gets its turn."""
_RTP = (12, 8, srtp.unprotect)
_RTCP = (8, 4, srtp.unprotect_rtcp)
"""Bytes of the shortest packet, where its SSRC is, and what decrypts it."""


class Tick:
    """Moves packets; implements MediaSink for the transports' ingress."""

    def __init__(self, mux: Mux, forwarder: Forwarder, lanes: Sequence[Lane], egress: Egress) -> None:
        self._mux = mux
        self._forwarder = forwarder
        self._lanes = lanes
        self._egress = egress
        self.feedback: dict[Transport, Feedback] = {}
        self.active: set[Transport] = set()
        """Transports that sent media since housekeeping last looked."""
        self._length: Any = srtp.ffi.new("int *")
        self._rows: dict[UdpPort, list[Any]] = {}
        self._now = 0.0
        self._unix_now = 0.0
        self._abs_send_time = b"\0\0\0"
        self.rejected = 0
        """Packets that failed authentication or came before the keys."""
        self.started_layers: list[Layer] = []
        """Layers whose first packet came since housekeeping last looked."""

    def begin(self, now: float, unix_now: float) -> None:
        """Set the time of this tick: monotonic and Unix, in seconds."""
        self._now = now
        self._unix_now = unix_now
        self._abs_send_time = abs_send_time(unix_now).to_bytes(3, "big")

    def drain(self, port: UdpPort) -> bool:
        """Take one batch from a UDP port; False when the socket was empty before the batch was full."""
        count = 0
        transports = self._mux.by_udp[port.index]
        for key, row, length, arrival_us in port.receive():
            count += 1
            if length < 2:
                continue
            data = port.data(row, length)
            first = data[0]
            if first <= 3:
                self._mux.udp_check(port, key, bytes(data), self._now)
                continue
            transport = transports.get(key)
            if transport is None:
                self._mux.strangers += 1
            elif 128 <= first <= 191:
                self._media(transport, data, self._pointer(port, row), length, arrival_us)
            elif 20 <= first <= 63:
                transport.dtls_record(bytes(data))
        return count == port.batch_size

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
            buffer = bytearray(data)
            pointer = srtp.ffi.from_buffer(buffer)
            self._media(transport, memoryview(buffer), pointer, len(buffer), int(self._unix_now * 1e6))
        elif 20 <= data[0] <= 63:
            transport.dtls_record(data)

    def finish(self) -> None:
        """Write all copies and send them."""
        self._forwarder.expand()
        for lane in self._lanes:
            self._egress.send(lane.arena)

    def resend(self, peer: int, packet: bytes) -> None:
        """Send one finished RTP packet (a retransmission) with the tick's other packets."""
        for lane in self._lanes:
            if len(packet) <= lane.largest:
                if lane.arena.count == lane.arena.capacity:
                    self._egress.send(lane.arena)
                lane.arena.append(peer, packet)
                return

    # --- MediaSink ---

    def media(self, layer: Layer, sequence: int, packet: MediaPacket) -> None:
        self._forwarder.forward(layer, sequence, packet, self._abs_send_time, self._now)

    def layer_started(self, layer: Layer) -> None:
        self.started_layers.append(layer)

    # --- inside ---

    def _media(
        self, transport: Transport, data: memoryview, pointer: Any, length: int, arrival_us: int
    ) -> None:
        pair = transport.srtp
        if pair is None:
            self.rejected += 1
            return
        size = self._length
        size[0] = length
        ingress = transport.ingress
        is_rtcp = 192 <= data[1] <= 223
        shortest, ssrc_at, unprotect = _RTCP if is_rtcp else _RTP
        ssrc = int.from_bytes(data[ssrc_at : ssrc_at + 4], "big")
        if length < shortest or unprotect(pair.rx_ptr, pointer, size):
            self.rejected += 1
            return
        forgotten = ingress.authenticated(ssrc)
        if forgotten is not None:
            pair.forget_received(forgotten)
        if is_rtcp:
            self.feedback[transport].receive(bytes(data[: size[0]]), self._now, self._unix_now, self.resend)
            return
        self.active.add(transport)
        ingress.receive(data[: size[0]], arrival_us, self._now)

    def _pointer(self, port: UdpPort, row: int) -> Any:
        rows = self._rows.get(port)
        if rows is None:
            base = srtp.ffi.cast("unsigned char *", port.rows.ctypes.data)
            rows = self._rows[port] = [base + index * ROW_BYTES for index in range(len(port.rows))]
        return rows[row]
