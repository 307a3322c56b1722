"""The tick: take in a batch and forward each packet, then write and send all copies at once.

RTCP and DTLS of a batch come last.
"""

from collections.abc import Sequence
from math import inf

from sfu.appetite import Appetite
from sfu.compiled.batch import STAY
from sfu.compiled.intake import OTHER, ROW_BYTES, RTCP, SOMETHING, STUN, WAITING
from sfu.forwarding.backlog import Backlog
from sfu.forwarding.forwarder import Forwarder
from sfu.forwarding.matrix import Lane
from sfu.forwarding.pace import Pace
from sfu.forwarding.packet import MediaPacket
from sfu.forwarding.shedding import Shedder
from sfu.forwarding.uptrack import Layer
from sfu.intake import Intake, Other
from sfu.mux import Mux
from sfu.net.egress import Egress
from sfu.net.tcp import TcpPeer
from sfu.net.udp import UdpPort
from sfu.overload import Overload
from sfu.peer.context import PeerContext
from sfu.peer.feedback import Feedback
from sfu.peer.transport import Transport
from sfu.rtp.extensions import abs_send_time
from sfu.rtp.header import FIXED_HEAD

MAX_WAIT_S = 0.1
"""How long RTCP may have waited to be read; more is a clock that was set."""


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
        self._context = context
        self._intake = Intake(mux, context, self, self._other, egress.serve(lanes), self._departed)
        self._now = 0.0
        self._unix_now = 0.0
        self._rejected = 0
        self._tidy = True
        """Nothing waits for the end of a tick: false in the midst of one, and after one that a fault has ended."""
        self._at_once_at = -inf
        """When copies last went that didn't wait."""
        self.pace = Pace()
        self._appetite = Appetite(context.config.batch_size)
        self.datagrams = 0
        """Datagrams from the UDP ports since the start ..."""
        self.late_datagrams = 0
        """... but for RTCP that :meth:`read_reports` has read."""
        self.started_layers: list[Layer] = []
        """Layers whose first packet came since housekeeping last looked."""

    @property
    def left_out(self) -> int:
        """Incoming packets of video that were not forwarded because of overload."""
        return self.shedder.packets + self._intake.left_out

    @property
    def rejected(self) -> int:
        """Packets that failed authentication or came before the keys."""
        return self._rejected + self._intake.rejected

    def begin(self, now: float, unix_now: float) -> None:
        """Set the time of this tick: monotonic and Unix, in seconds."""
        self._now = now
        self._unix_now = unix_now

    def turn(self, port: UdpPort, now: float, unix_now: float) -> bool:
        """A tick with one batch from a UDP port; False when the socket was empty before the batch was full."""
        self.begin(now, unix_now)
        overload, intake, appetite = self.overload, self._intake, self._appetite
        asked = min(appetite.datagrams, port.batch_size)
        counters = self._egress.counters
        before = counters.packets
        tidy, self._tidy = self._tidy, False
        onward = self._egress.onward(gather=not overload.congested(now)) if tidy else STAY
        count = intake.take(port, asked, now, unix_now, overload.level, onward)
        if not count:
            self._tidy = tidy
            return False
        self.datagrams += count
        full = count == asked
        if self._shed:
            waited_s = unix_now - intake.newest_us / 1e6 if port.timed else None
            overload.received(waited_s, now, full=full, dropped=intake.dropped)
        left = intake.left
        if left == SOMETHING:
            self.finish()
        else:
            self._tidy = True
            if left == WAITING:
                self._backlog.rouse()
        appetite.had(count, counters.packets - before)
        return full

    def read_reports(self, port: UdpPort, now: float, unix_now: float) -> bool | None:
        """A tick with one batch from a port to which RTCP comes that can wait.

        Returns whether there may be more, None if there was nothing.
        """
        self.begin(now, unix_now)
        count = self._intake.take(port, port.batch_size, now, unix_now, self.overload.level)
        if not count:
            return None
        self.late_datagrams += count
        self.finish()
        return count == port.batch_size

    def _other(self, port: UdpPort, other: Other) -> None:
        """Take what is no plain media."""
        kind, row, owner, length, arrival_us = other
        if kind == STUN:
            self._mux.udp_check(port, port.key(row), bytes(port.data(row, length)), self._now)
            return
        transport = self._mux.by_row.get(owner)
        if transport is None:  # gone since its packet was decrypted
            return
        if kind == OTHER:
            at = row * ROW_BYTES
            head = FIXED_HEAD.unpack_from(port.memory, at)
            transport.ingress.receive(port.memory, at, length, head, arrival_us, self._now)
        elif kind == RTCP:
            self._rtcp(transport, bytes(port.data(row, length)), self._unix_now - arrival_us / 1e6)
        else:
            transport.dtls_record(bytes(port.data(row, length)))

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
        head = FIXED_HEAD.unpack_from(packet.ljust(FIXED_HEAD.size, b"\0"))
        arrival_us = int(self._unix_now * 1e6)
        transport.ingress.receive(memoryview(packet), 0, len(packet), head, arrival_us, self._now)

    def plain_rtcp(self, transport: Transport, packet: bytes) -> None:
        """Take RTCP of a client in our own process."""
        self.feedback[transport].receive(packet, self._now, self._unix_now, self.resend)

    def finish(self) -> None:
        """Write all copies that don't wait, and send them."""
        if self._egress.waiting or any(lane.busy for lane in self._lanes):
            self._send()
        self._forwarder.expanded()
        self._backlog.look()
        self._tidy = True

    def _departed(self) -> None:
        """Compiled loops have sent copies."""
        self._at_once_at = self._now
        refused = self._egress.counters.refused
        self._egress.departed()
        self._sent(refused)

    def _send(self) -> None:
        refused = self._egress.counters.refused
        if any(lane.added for lane in self._lanes):
            self._at_once_at = self._now
        if not self.overload.congested(self._now):
            self._forwarder.gather()
        for lane in self._lanes:
            self._egress.write(lane)
        self._sent(refused)

    def go_on(self) -> int:
        """Write and send some of the copies that wait; returns how many."""
        refused = self._egress.counters.refused
        count = self._backlog.step(self.pace.piece(self._now - self._at_once_at))
        self._sent(refused)
        return count

    def resend(self, peer: int, packet: bytes) -> None:
        """Send one finished RTP packet (a retransmission) with the tick's other packets.

        What an overloaded kernel refused is asked for again by everybody; that would keep it overloaded.
        """
        lanes = () if self.overload.congested(self._now) else self._lanes
        for lane in lanes:
            if len(packet) <= lane.largest:
                self._tidy = False
                if lane.arena.count == lane.arena.capacity:
                    self._egress.send(lane.arena)
                lane.arena.append(peer, packet)
                return
        self._context.losses.retransmissions += 1

    # --- MediaSink ---

    def media(self, layer: Layer, sequence: int, packet: MediaPacket) -> None:
        if not self.shedder.idle and self.shedder.takes(layer, sequence, packet, self._now):
            return
        self._forwarder.forward(layer, sequence, packet, abs_send_time(self._unix_now), self._now)

    def layer_started(self, layer: Layer) -> None:
        self.started_layers.append(layer)
        layer.keyframes.attention.ring()

    # --- inside ---

    def _sent(self, refused: int) -> None:
        """After sending; ``refused`` is the counter before it."""
        refused = self._egress.counters.refused - refused
        if self._shed and (refused or self.overload.level):
            self.overload.sent(refused, self._now)

    def _rtcp(self, transport: Transport, data: bytes, waited_s: float = 0.0) -> None:
        """Take one decrypted RTCP packet, which came so long ago: round trips are measured by it."""
        waited_s = min(max(waited_s, 0.0), MAX_WAIT_S)
        transport.ingress.reported(int.from_bytes(data[4:8], "big"))
        self.feedback[transport].receive(data, self._now - waited_s, self._unix_now - waited_s, self.resend)

    def _tcp_media(self, transport: Transport, data: bytes) -> None:
        """Take RTP or RTCP that came over TCP."""
        rtcp = 192 <= data[1] <= 223
        packet = self._context.peers.srtp.unprotect(transport.row, data, rtcp=rtcp)
        if packet is None:
            self._rejected += 1
        elif rtcp:
            self._rtcp(transport, packet)
        else:
            self.plain(transport, packet)
