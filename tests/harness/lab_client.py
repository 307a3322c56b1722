"""A client in the lab: sends what its sources make, answers feedback as a browser does, and watches what it gets."""

from typing import TYPE_CHECKING

from hubbub.testing.netem import Conditions, Netem
from sfu.control import MediaKind
from sfu.rtp import rtcp, twcc
from sfu.rtp.header import PacketClass, demux, parse_header
from tests.harness.keyed_peer import KeyedPeer
from tests.harness.offers import Line
from tests.harness.rtp_source import AudioSource, SentPacket, SimulcastSource, VideoSource
from tests.harness.viewer import Viewer, body

if TYPE_CHECKING:
    from tests.harness.lab import Lab

SENDER_REPORT_S = 1.0


class LabClient:
    """One transport with its network, both ways."""

    def __init__(
        self, name: str, lab: "Lab", host: str, room: str, up: Conditions, down: Conditions, seed: int
    ) -> None:
        self._lab = lab
        self.host = host
        self.peer = KeyedPeer(name, lab.engine.execute, router=room)
        self.up = Netem(up, seed)
        self.down = Netem(down, seed + 1)
        self.sources: dict[str, VideoSource | AudioSource | SimulcastSource] = {}
        """By track id."""
        self.sent: dict[bytes, SentPacket] = {}
        """Everything published, by payload body."""
        self.viewers: dict[int, Viewer] = {}
        """By media SSRC."""
        self.plis: list[tuple[float, int]] = []
        """Key frame requests that came: when, and for which SSRC."""
        self.nacks: list[tuple[float, int, int]] = []
        """When, SSRC and sequence number of each request that came to send again."""
        self.transport_feedback: list[tuple[int, int | None]] = []
        self.arrived: list[tuple[float, bytes]] = []
        """What reached the engine, protected as it was."""
        self.sender_reports: list[tuple[float, rtcp.SenderReport]] = []
        self.receiver_reports: list[rtcp.ReportBlock] = []
        self.confirmed = 0
        """Answers to connectivity checks."""
        self.forged = 0
        self.answers_nacks = True
        self.answers_plis = True
        self._started_at = lab.now
        self._report_at = lab.now

    # --- negotiation ---

    def publish(self, track_id: str, source: VideoSource | AudioSource | SimulcastSource) -> None:
        """Send a source as a track; call :meth:`negotiate` afterwards."""
        layers = _layers(source)
        configs = [layer.stream.config for layer in layers]
        kind = MediaKind.AUDIO if isinstance(source, AudioSource) else MediaKind.VIDEO
        codec = "vp8" if isinstance(source, AudioSource) else layers[0].codec  # type: ignore[union-attr]
        rids = tuple(config.rid for config in configs if config.rid)
        self.peer.expect(track_id, kind, measure_level=kind is MediaKind.AUDIO)
        self.peer.send_line(
            Line(
                kind.value,
                configs[0].mid,
                cid=track_id,
                codecs=(codec,),
                rids=rids,
                ssrcs=() if rids else tuple(config.ssrc for config in configs),
                rtx_ssrcs=() if rids else tuple(c.rtx_ssrc for c in configs if c.rtx_ssrc),
                ids=configs[0].ids,
            )
        )
        self.sources[track_id] = source

    def negotiate(self) -> None:
        """Offer what was added; the first time the transport is connected too."""
        first = not self.peer.answers
        self.peer.offer()
        if first:
            self._lab.key(self)
        for stream in self.peer.received.values():
            if stream.ssrc not in self.viewers:
                media = stream.section.codecs[0]
                self.viewers[stream.ssrc] = Viewer(stream.ssrc, stream.rtx_ssrc, media.mime, media.clock_rate)

    def watch(self, *track_ids: str, spatial: int = 2, temporal: int = 3, line: Line | None = None) -> None:
        """Subscribe and negotiate."""
        kinds = [self._lab.engine.context.tracks[track_id].kind for track_id in track_ids]  # type: ignore[index]
        for track_id in track_ids:
            self.peer.subscribe(track_id, spatial=spatial, temporal=temporal)
        self.peer.receive_lines(
            audio=kinds.count(MediaKind.AUDIO), video=kinds.count(MediaKind.VIDEO), line=line
        )
        self.negotiate()

    def viewer(self, track_id: str) -> Viewer:
        """What came of a track."""
        ssrc = next(s.ssrc for s in self.peer.received.values() if s.track_id == track_id)
        return self.viewers[ssrc]

    def consent(self) -> None:
        """Send a connectivity check."""
        self.up.send(self.peer.check(), self._lab.now)

    # --- time ---

    def media_time(self, now: float) -> float:
        return now - self._started_at

    def next_times(self) -> list[float]:
        """When something is due here."""
        times = [layer.next_at + self._started_at for layer in self._all_layers() if not layer.paused]
        times += [at for at in (self.up.next_timeout(), self.down.next_timeout()) if at is not None]
        times += [viewer.due_at for viewer in self.viewers.values() if viewer.due_at is not None]
        return times

    def sent_by(self, now: float) -> list[bytes]:
        """Datagrams that reach the engine by now."""
        at = self.media_time(now)
        for source in self.sources.values():
            for packet in source.take(at + 1e-9):
                self.sent[body(packet.payload, _is_vp8(source))] = packet
                self._send_rtp(packet.data, now)
        if now >= self._report_at:
            self._report_at = now + SENDER_REPORT_S
            self._report(at, now)
        for viewer in self.viewers.values():
            for packet in viewer.feedback(now):
                self.up.send(self.peer.srtp.protect_rtcp(packet), now)
        arrived = self.up.receive(now)
        self.arrived += [(now, data) for data in arrived]
        return arrived

    def receive(self, now: float) -> None:
        """Take what has come from the engine by now."""
        for data in self.down.receive(now):
            match demux(data[0], data[1]):
                case PacketClass.RTP:
                    self._on_rtp(data, now)
                case PacketClass.RTCP:
                    self._on_rtcp(data, now)
                case PacketClass.STUN:
                    self.confirmed += self.peer.is_confirmed(data)
                case _:
                    pass

    # --- inside ---

    def _send_rtp(self, data: bytes, now: float) -> None:
        self.up.send(self.peer.srtp.protect(data), now)

    def _report(self, at: float, now: float) -> None:
        for layer in self._all_layers():
            if not layer.paused and layer.stream.packets:
                self.up.send(self.peer.srtp.protect_rtcp(layer.sender_report(at)), now)

    def _on_rtp(self, data: bytes, now: float) -> None:
        plain = self.peer.srtp.unprotect(data)
        if plain is None:
            self.forged += 1
            return
        header = parse_header(plain, len(plain))
        for viewer in self.viewers.values():
            if header.ssrc in (viewer.ssrc, viewer.rtx_ssrc):
                viewer.receive(header, plain, now)

    def _on_rtcp(self, data: bytes, now: float) -> None:
        plain = self.peer.srtp.unprotect_rtcp(data)
        if plain is None:
            self.forged += 1
            return
        for packet in rtcp.parse_compound(plain):
            match packet:
                case rtcp.Pli():
                    self.plis.append((now, packet.media_ssrc))
                    self._keyframe(packet.media_ssrc)
                case rtcp.Nack():
                    for sequence in packet.lost:
                        self.nacks.append((now, packet.media_ssrc, sequence))
                        self._resend(packet.media_ssrc, sequence, now)
                case rtcp.TransportFeedback():
                    near_us = next((at for _, at in reversed(self.transport_feedback) if at is not None), 0)
                    self.transport_feedback += twcc.parse_feedback(plain, near_us)
                case rtcp.SenderReport():
                    self.sender_reports.append((now, packet))
                case rtcp.ReceiverReport():
                    self.receiver_reports += packet.reports
                case _:
                    pass

    def _keyframe(self, ssrc: int) -> None:
        for layer in self._all_layers():
            if layer.stream.config.ssrc == ssrc and isinstance(layer, VideoSource) and self.answers_plis:
                layer.keyframe()

    def _resend(self, ssrc: int, sequence: int, now: float) -> None:
        for layer in self._all_layers():
            if layer.stream.config.ssrc == ssrc and self.answers_nacks:
                data = layer.resend(sequence, self.media_time(now))
                if data is not None:
                    self._send_rtp(data, now)

    def _all_layers(self) -> list[VideoSource | AudioSource]:
        return [layer for source in self.sources.values() for layer in _layers(source)]


def _layers(source: VideoSource | AudioSource | SimulcastSource) -> list[VideoSource | AudioSource]:
    return [*source.layers] if isinstance(source, SimulcastSource) else [source]


def _is_vp8(source: VideoSource | AudioSource | SimulcastSource) -> bool:
    layer = _layers(source)[0]
    return isinstance(layer, VideoSource) and layer.codec == "vp8"
