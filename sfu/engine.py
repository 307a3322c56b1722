"""The engine: the ports, tables, transports and routers of one process. Executes commands, emits events."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Sequence

from sfu import control, gc_policy
from sfu.announce import announced_addresses, hosts
from sfu.compiled.outgoing import LANES
from sfu.config import MediaConfig
from sfu.control import Command, Event, RouterId, TrackId, TransportId
from sfu.errors import MediaStartError
from sfu.forwarding.arena import SendArena
from sfu.forwarding.backlog import ASIDE, PIECE, Backlog
from sfu.forwarding.downtracks import DownTrackTable
from sfu.forwarding.forwarder import Forwarder
from sfu.forwarding.matrix import TEMPLATES, Lane
from sfu.forwarding.profile import ProfileRegistry
from sfu.forwarding.stream_table import StreamTable
from sfu.housekeeping import URGENT_S, Housekeeping
from sfu.late_reports import LateReports
from sfu.mux import Mux
from sfu.net.addresses import candidates
from sfu.net.arrays import Int64s
from sfu.net.dtls import Certificate
from sfu.net.egress import Egress
from sfu.net.outbox import Outbox
from sfu.net.peers import PeerTable
from sfu.net.private_names import check_private_names
from sfu.net.tcp import TcpPeer, TcpPort
from sfu.net.udp import UdpPort
from sfu.overload import STEPS
from sfu.peer.context import PeerContext
from sfu.peer.feedback import Feedback
from sfu.peer.transport import Transport
from sfu.readers import Readers
from sfu.rounds import Rounds
from sfu.router import Router
from sfu.streams.acknowledgements import Acknowledgements
from sfu.streams.speakers import SpeechSettings
from sfu.tick import Tick

logger = logging.getLogger(__name__)

_ROW_BYTES = (320, 1536)
_ROWS = 2048
_TURN_S = 0.002
"""After so long the event loop gets its turn."""
_HOUSE_S = 0.001
"""The same for housekeeping; sending what it has written comes on top."""
_MAX_SSRC = 0xFFFFFFFF
_COMPLAIN_S = 10.0


class Engine:
    """Everything of the data plane in one place; the parts do the work."""

    def __init__(self, config: MediaConfig, emit: Callable[[Event], None]) -> None:
        self.config = config
        self._emit = emit
        self.peers = PeerTable()
        self.down_tracks = DownTrackTable()
        self.ports: list[UdpPort] = []
        self._tcp = TcpPort(self._on_tcp, self._on_tcp_closed, config.max_transports)
        self.egress = Egress(self.peers, batch=config.use_sendmmsg, gso=config.use_gso)
        streams = StreamTable(config.history_bytes)
        lanes = self._lanes = [
            self._lane(SendArena(_ROWS, stride), self._drain, words=words)
            for stride, words in zip(_ROW_BYTES, streams.forwarding.lanes[:LANES], strict=True)
        ]
        pieces = [SendArena(PIECE, stride, piecewise=True) for stride in _ROW_BYTES]
        lanes[0].arena.urgent = pieces[0].urgent = True
        waiting = [
            self._lane(arena, self.egress.send, words=words)
            for arena, words in zip(pieces, streams.forwarding.lanes[LANES:], strict=True)
        ]
        asides = [self._lane(arena, self.egress.send, ASIDE) for arena in pieces]
        self.backlog = Backlog(waiting, asides, self.egress, self._on_backlog)
        self._going_on = False
        self.down_tracks.settle, self.down_tracks.forget = self.backlog.settle, self.backlog.forget
        self.forwarder = Forwarder(
            self.down_tracks, lanes, self.backlog, lambda: secrets.randbits(31), streams
        )
        self.mux = Mux(self.peers)
        self.outbox = Outbox(self.peers, self.ports, batch=config.use_sendmmsg)
        acknowledgements = Acknowledgements(self.outbox)
        self.context = PeerContext(
            config,
            emit,
            self.peers,
            self.down_tracks,
            acknowledgements,
            ProfileRegistry(),
            self._new_ssrc,
            SpeechSettings.of(config),
            self._end_subscription,
            streams,
        )
        self.tick = Tick(
            self.mux,
            self.forwarder,
            lanes,
            self.backlog,
            self.egress,
            self.context,
            shed=config.shed_video,
        )
        self.routers: dict[RouterId, Router] = {}
        self.transports: dict[TransportId, Transport] = {}
        self._readers = Readers(self._read, lambda: self.backlog.waits, config.coalesce_s)
        self._rounds = Rounds(self._keep_house, URGENT_S)
        self.reports = LateReports(self.tick.read_reports)
        self._housekeeping = Housekeeping(self.tick, self.outbox, acknowledgements, emit, self._rounds.hasten)
        self._departed = 0
        """Transports closed since the last full collection."""
        self._complain_at = 0.0
        self._certificate: Certificate | None = None
        self._candidates: tuple[str, ...] = ()
        self._tcp_candidates: tuple[str, ...] = ()

    def _lane(
        self,
        arena: SendArena,
        drain: Callable[[SendArena], None],
        templates: int = TEMPLATES,
        words: Int64s | None = None,
    ) -> Lane:
        pad = self.config.use_gso and self.config.use_sendmmsg
        return Lane(arena, self.down_tracks, self.peers, drain, pad=pad, templates=templates, words=words)

    def _drain(self, full: SendArena) -> None:
        """Make room in a lane; smaller packets are numbered before larger ones, so they go first."""
        for lane in self._lanes:
            self.egress.send(lane.arena)
            if lane.arena is full:
                return

    # --- life ---

    async def start(self) -> None:
        """Open the ports and find out what to offer. Raises MediaStartError."""
        config = self.config
        check_private_names()
        self._certificate = Certificate.generate()
        udp_port, tcp_port = config.udp_port, config.tcp_port
        for host in hosts(config):
            udp_port = self._open_udp(host, udp_port)
            if config.tcp_port:
                tcp_port = await self._open_tcp(host, tcp_port)
        addresses = await announced_addresses(config)
        tcp = tcp_port if config.tcp_port else None
        self._candidates = tuple(candidates(addresses, config.announced_udp_port or udp_port, tcp))
        self._tcp_candidates = tuple(candidates(addresses, None, tcp))
        self._readers.start(self.ports)
        self.reports.start()
        self._rounds.begin()

    async def close(self) -> None:
        """Close every transport and port."""
        self._rounds.stop()
        self.reports.stop()
        for router_id in list(self.routers):
            self.execute(control.CloseRouter(router_id))
        self._readers.stop()
        for port in self.ports:
            port.close()
        await self._tcp.close()

    def _open_udp(self, host: str, number: int) -> int:
        try:
            port = UdpPort(
                len(self.ports),
                host,
                number,
                batch_size=self.config.batch_size,
                buffer_bytes=self.config.socket_buffer_bytes,
                batch=self.config.use_sendmmsg,
            )
        except OSError as error:
            raise MediaStartError(f"can't open UDP port {number} on {host}: {error.strerror}") from error
        self.add_port(port)
        reports = port.divide(self.config.socket_buffer_bytes)
        if reports is not None:
            self.reports.ports.append(reports)
        return port.port

    async def _open_tcp(self, host: str, number: int) -> int:
        try:
            return await self._tcp.listen(host, number)
        except OSError as error:
            raise MediaStartError(f"can't open TCP port {number} on {host}: {error.strerror}") from error

    def add_port(self, port: UdpPort) -> None:
        """Serve clients at a port; :meth:`start` sees to it that it is read."""
        self.ports.append(port)
        self.mux.add_port(port)
        self.egress.add_port(port)

    # --- packets and time ---

    def _read(self, port: UdpPort, now: float) -> int:
        """Take what a port has, for a while, and let it go on; returns how many datagrams there were."""
        until = now + _TURN_S
        tick, before = self.tick, self.tick.datagrams
        while now < until and not self.backlog.full:
            if not tick.turn(port, now, time.time()):
                break
            now = time.monotonic()
        if now >= self.reports.due_at:
            self.reports.begin()
        if now >= self._rounds.due_at:
            self._rounds.begin()
        return tick.datagrams - before

    def _on_backlog(self) -> None:
        """Copies wait; sockets and everybody else get their turn before each piece of them."""
        if not self._going_on:
            self._going_on = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._going_on = False
        if self.backlog.waits:
            self._on_backlog()  # first, so that a fault in this piece does not end all sending
            now = time.monotonic()
            self.tick.begin(now, time.time())
            count = self.tick.go_on()
            self.tick.pace.took(count, time.monotonic() - now)

    def _on_tcp(self, peer: TcpPeer, data: bytes) -> None:
        self.tick.begin(time.monotonic(), time.time())
        self.tick.tcp(peer, data)
        self.tick.finish()

    def _on_tcp_closed(self, peer: TcpPeer) -> None:
        self.mux.tcp_closed(peer)

    def _keep_house(self) -> float | None:
        """Do some of what the clock brings; returns when there is more to do, None for at once."""
        now, unix_now = time.monotonic(), time.time()
        until = now + _HOUSE_S
        self.tick.begin(now, unix_now)
        done = self._housekeeping.run(now, unix_now, lambda: time.monotonic() >= until)
        self.tick.finish()
        if gc_policy.tidy(self._departed, len(self.transports)):
            self._departed = 0
        if self.tick.overload.level and now >= self._complain_at:
            self._complain_at = now + _COMPLAIN_S
            self._complain()
        return self._housekeeping.due_at if done else None

    def _complain(self) -> None:
        """Say once in a while that there is too much to do."""
        counters = self.egress.counters
        logger.warning(
            "overloaded: leaving out %d/%d of the video; packets left out %d, refused by the kernel %d",
            self.tick.overload.level,
            STEPS,
            self.tick.left_out,
            counters.refused,
        )

    def _new_ssrc(self) -> int:
        return 1 + secrets.randbelow(_MAX_SSRC)

    def feed(self, transport: Transport, packets: Sequence[bytes], rtcp: Sequence[bytes] = ()) -> None:
        """Take packets of a client in our own process, as if they had just been received. Not from within a tick."""
        self.tick.begin(time.monotonic(), time.time())
        for packet in rtcp:
            self.tick.plain_rtcp(transport, packet)
        for packet in packets:
            self.tick.plain(transport, packet)
        self.tick.finish()

    # --- commands ---

    def execute(self, command: Command) -> None:
        """Carry out a command. Ids that are gone are ignored."""
        match command:
            case control.OpenRouter():
                self._open_router(command.router_id)
            case control.CloseRouter():
                self._close_router(command.router_id)
            case control.OpenTransport():
                self._open_transport(command)
            case control.SendData():
                for transport_id in command.transport_ids:
                    transport = self.transports.get(transport_id)
                    if transport is not None:
                        transport.send_data(command.label, command.payload)
            case control.MuteTrack():
                self._mute(command)
            case control.MoveTransport():
                self._move_transport(command)
            case _:
                transport = self.transports.get(command.transport_id)
                if transport is not None:
                    self._on_transport(transport, command)

    def _on_transport(self, transport: Transport, command: Command) -> None:
        match command:
            case control.CloseTransport():
                self._close_transport(transport)
            case control.Offer():
                transport.offer(command)
                self.mux.register(transport)
            case control.Answer():
                transport.answer(command)
            case control.RestartIce():
                transport.restart_ice()
                self.mux.register(transport)
            case control.ExpectTrack():
                transport.publishing.expect(command.spec)
            case control.DropTrack():
                transport.publishing.drop(command.track_id)
            case control.Subscribe():
                transport.subscribe(command)
            case control.Unsubscribe():
                transport.unsubscribe(command.track_id)
            case control.SetLayers():
                transport.subscribing.set_layers(command)

    def _open_router(self, router_id: RouterId) -> None:
        if router_id not in self.routers:
            router = self.routers[router_id] = Router(router_id, self.context.speech)
            self._housekeeping.add_router(router)

    def _open_transport(self, command: control.OpenTransport) -> None:
        router = self.routers.get(command.router_id)
        if router is None or command.transport_id in self.transports or self._certificate is None:
            return
        if len(self.transports) >= self.config.max_transports:
            self._emit(control.TransportFailed(command.transport_id, "too many transports"))
            return
        transport = Transport(
            self.context,
            command,
            self._certificate,
            self._tcp_candidates if command.tcp_only else self._candidates,
            self.tick,
            self.mux.send,
            secrets.randbits(62),
            time.monotonic(),
        )
        self.transports[transport.id] = transport
        router.transports[transport.id] = transport
        self.tick.feedback[transport] = Feedback(transport, self.outbox.put, self.context.acknowledgements)
        self.mux.register(transport)
        self._housekeeping.add(transport)

    def _close_transport(self, transport: Transport) -> None:
        del self.transports[transport.id]
        self.routers[transport.router_id].transports.pop(transport.id, None)
        self.tick.feedback.pop(transport, None)
        self.mux.unregister(transport)
        self._housekeeping.remove(transport)
        transport.close()
        self._departed += 1

    def _move_transport(self, command: control.MoveTransport) -> None:
        transport, router = self.transports.get(command.transport_id), self.routers.get(command.router_id)
        if transport is None or router is None:
            return
        del self.routers[transport.router_id].transports[transport.id]
        router.transports[transport.id] = transport
        transport.router_id = router.id
        transport.subscribing.tell_playout_delay(command.playout_delay_ms)

    def _close_router(self, router_id: RouterId) -> None:
        router = self.routers.get(router_id)
        if router is None:
            return
        for transport in list(router.transports.values()):
            self._close_transport(transport)
        self._housekeeping.remove_router(router)
        del self.routers[router_id]

    def _end_subscription(self, transport_id: TransportId, track_id: TrackId) -> None:
        transport = self.transports.get(transport_id)
        if transport is not None:
            transport.unsubscribe(track_id)

    def _mute(self, command: control.MuteTrack) -> None:
        track = self.context.tracks.get(command.track_id)
        if track is None or track.muted == command.muted:
            return
        track.muted = command.muted
        for transport_id, down in track.down_tracks.items():
            transport = self.transports.get(transport_id)
            if transport is not None:
                transport.subscribing.retarget(down)
