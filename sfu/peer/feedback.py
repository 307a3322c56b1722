"""RTCP of one transport: what clients tell us of what they receive and send, and what we tell them."""

from collections.abc import Callable
from math import inf

from sfu.control import MediaKind
from sfu.forwarding.binding import InStream
from sfu.forwarding.downtrack import DownTrack
from sfu.forwarding.forwarder import retransmission
from sfu.peer.quality import TransportQuality
from sfu.peer.transport import Transport
from sfu.rtp import ntp, rtcp
from sfu.rtp.errors import RtpError
from sfu.rtp.extensions import abs_send_time
from sfu.streams.acknowledgements import Acknowledgements
from sfu.streams.nack import NackRegister
from sfu.streams.retransmit import RetransmitLimiter
from sfu.streams.sender_report import rtt_from_report

MAX_COMPOUND_BYTES = 1150
REPORTS_PER_PACKET = 31
OVERLOADED_S = 0.1
"""Between looks whether packets that the engine itself may have dropped can be asked for."""
UNANSWERABLE_S = 0.2
"""Between looks whether a layer that somebody waits for has begun."""


class Feedback:
    """Reads and writes the RTCP of a transport."""

    def __init__(
        self, transport: Transport, put: Callable[[int, bytes], None], acknowledgements: Acknowledgements
    ) -> None:
        """``put`` takes a plain packet for a peer row, to be sent soon."""
        self._transport = transport
        self._acknowledgements = acknowledgements
        self._put = put
        self.rtt_s = 0.0
        self.malformed = 0
        self.quality = TransportQuality()
        self._first_reports_at = inf
        self._later_reports_at = 0.0
        """When to look for sender reports that are due, the first ones of a stream and those that follow."""
        self._octets: dict[int, tuple[int, float]] = {}
        """Octets sent and when that was read, of streams that are being retransmitted from."""

    # --- from the client ---

    def receive(self, data: bytes, now: float, unix_now: float, resend: Callable[[int, bytes], None]) -> None:
        """Take a decrypted compound packet. ``resend`` sends a retransmission to a peer row."""
        reports = rtcp.plain_reports(data)
        if reports is None:
            self._compound(data, now, unix_now, resend)
            return
        senders, blocks = reports
        for ssrc, ntp64, timestamp, _, _ in senders:
            self._sender_report(ssrc, ntp64, timestamp, now)
        if blocks:
            self._reports(blocks, unix_now)

    def _compound(
        self, data: bytes, now: float, unix_now: float, resend: Callable[[int, bytes], None]
    ) -> None:
        try:
            packets = rtcp.parse_compound(data)
        except RtpError:
            self.malformed += 1
            return
        for packet in packets:
            match packet:
                case rtcp.SenderReport():
                    self._sender_report(packet.ssrc, packet.ntp, packet.rtp_timestamp, now)
                    self._reports([block.words for block in packet.reports], unix_now)
                case rtcp.ReceiverReport():
                    self._reports([block.words for block in packet.reports], unix_now)
                case rtcp.Nack():
                    self._nack(packet, now, unix_now, resend)
                case rtcp.Pli():
                    self._keyframe_wanted(packet.media_ssrc, now)
                case rtcp.Fir():
                    for request in packet.requests:
                        self._keyframe_wanted(request.ssrc, now)
                case _:
                    pass

    def _sender_report(self, ssrc: int, ntp64: int, timestamp: int, now: float) -> None:
        stream = self._transport.ingress.streams.get(ssrc)
        if stream is not None and stream.stats.sender_report(ntp64, timestamp, now):
            clock = stream.stats.sender_clock
            assert clock is not None
            stream.layer.clock.report = clock
            stream.track.clock.observe(clock)

    def _reports(self, blocks: list[rtcp.Block], unix_now: float) -> None:
        ours, received = self._transport.subscribing.by_ssrc, self.quality.received
        answered = []
        for ssrc, lost, highest, jitter, last_report, delay in blocks:
            if ssrc in ours:
                if last_report:
                    answered.append((delay, last_report))
                received[ssrc] = highest, lost, jitter
        if answered:
            # All came in the same round trip; the clocks have drifted least since the newest report of ours.
            delay, last_report = min(answered)
            self._round_trip(last_report, delay, ntp.middle_from_unix(unix_now))

    def _round_trip(self, last_report: int, delay: int, now_middle: int) -> None:
        rtt_s = rtt_from_report(now_middle, last_report, delay)
        if rtt_s is not None:
            self.rtt_s = rtt_s if not self.rtt_s else 0.75 * rtt_s + 0.25 * self.rtt_s

    def _nack(
        self, nack: rtcp.Nack, now: float, unix_now: float, resend: Callable[[int, bytes], None]
    ) -> None:
        down = self._transport.subscribing.by_ssrc.get(nack.media_ssrc)
        if down is None or not down.rtx_payload_type:
            return
        sent_at = abs_send_time(unix_now).to_bytes(3, "big")
        for sequence in nack.lost:
            found = down.find(sequence)
            if found is None:
                continue
            span, number, packet = found
            if down.limiter is None:
                down.limiter = RetransmitLimiter()
                self._octets[down.ssrc] = down.sent()[1], now
            if down.limiter.allow(number, len(packet.payload), now, self.rtt_s):
                resend(self._transport.row, retransmission(down, span, number, packet, sent_at))

    def _keyframe_wanted(self, ssrc: int, now: float) -> None:
        down = self._transport.subscribing.by_ssrc.get(ssrc)
        if down is None or down.track.kind is not MediaKind.VIDEO or down.rendition is None:
            return
        if self._transport.subscribing.keyframe_limits[down.track_id].allow(now):
            down.rendition.layer.keyframes.request(now)

    # --- to the client ---

    def attend(self, now: float, unix_now: float, *, overloaded: bool = False) -> float:
        """Do what is urgent: NACKs, key frame requests, and the first reports of streams that the client is sent.

        To be called when the ``attention`` of ingress is rung; returns when to call again even if it is not, infinity
        for never. NACKs wait while the engine is ``overloaded``: what its socket had no room for would come on top of
        what it has no room for.
        """
        ingress = self._transport.ingress
        ingress.attention.lower()
        self._describe()
        again_at = self._report_first(now, unix_now)
        for media_ssrc, stream in ingress.streams.items():
            nacks = stream.nacks
            if nacks is not None and nacks.pending and overloaded:
                again_at = min(again_at, now + OVERLOADED_S)
            elif nacks is not None and nacks.pending:
                self._ask_for_packets(media_ssrc, stream, nacks, now)
                again_at = min(again_at, nacks.due_at)
            if stream.track.kind is MediaKind.VIDEO:
                again_at = min(again_at, self._ask_for_keyframe(media_ssrc, stream, now))
        return again_at

    def report(self, now: float, unix_now: float) -> None:
        """Say what was received and what was sent, as far as that is due. To be called once a second."""
        self._report_received(now)
        if now >= self._later_reports_at:
            self._report_sent(now, unix_now)
        if self._octets:
            self._budget_retransmissions(now)

    def _ask_for_packets(self, media_ssrc: int, stream: InStream, nacks: NackRegister, now: float) -> None:
        if not any(rendition.members for rendition in stream.layer.renditions):
            nacks.clear()
            return
        nacks.follow(stream.stats.highest)
        missing, hopeless = nacks.due(now, self.rtt_s)
        if missing:
            self._rtcp(rtcp.build_nack(self._transport.rtcp_ssrc, media_ssrc, [s & 0xFFFF for s in missing]))
        if hopeless:
            stream.layer.keyframes.request(now)

    def _ask_for_keyframe(self, media_ssrc: int, stream: InStream, now: float) -> float:
        """Before its first packet a stream is asked for nothing: it could not answer."""
        layer = stream.layer
        keyframes = layer.keyframes
        if not stream.stats.packets:
            return now + UNANSWERABLE_S if keyframes.waiting else inf
        if layer.wanted:
            keyframes.request(now)
        if not keyframes.waiting or layer.ssrc != media_ssrc:
            return inf
        keyframes.rtt_s = self.rtt_s
        if keyframes.due(now):
            self._rtcp(rtcp.build_pli(self._transport.rtcp_ssrc, media_ssrc))
        return keyframes.due_at

    def _describe(self) -> None:
        """Say what transport-wide feedback is about: a stream rings for that when it is new, and when it ends."""
        ingress, row = self._transport.ingress, self._transport.row
        video = any(not stream.audio for stream in ingress.streams.values())
        self._acknowledgements.describe(row, next(iter(ingress.streams), 0), video=video)

    def _report_first(self, now: float, unix_now: float) -> float:
        """Send what is due of first reports; returns when to do that again."""
        subscribing = self._transport.subscribing
        if subscribing.aimed or now >= self._first_reports_at:
            subscribing.aimed = False
            self._report_sent(now, unix_now)
        return self._first_reports_at

    def _report_sent(self, now: float, unix_now: float) -> None:
        """Send all sender reports that are due, and note when the next are."""
        compound = b""
        first_at = later_at = inf
        ntp64 = ntp.from_unix(unix_now)
        subscribing = self._transport.subscribing
        for down in subscribing.down_tracks.values():
            if down.rendition is not down.target:
                first_at = min(first_at, now + UNANSWERABLE_S)
            if down.rendition is None:
                continue
            if down.reports.due(now):
                packet = self._sender_report_for(down, now, ntp64)
                if len(compound) + len(packet) > MAX_COMPOUND_BYTES:
                    self._rtcp(compound)
                    compound = b""
                compound += packet
            if down.reports.settled:
                later_at = min(later_at, down.reports.due_at)
            else:
                first_at = min(first_at, down.reports.due_at)
        if compound:
            self._rtcp(compound)
        self._first_reports_at, self._later_reports_at = first_at, later_at

    def _budget_retransmissions(self, now: float) -> None:
        """Retransmissions may take a share of what the stream itself takes."""
        by_ssrc = self._transport.subscribing.by_ssrc
        for ssrc, (before, at) in list(self._octets.items()):
            down = by_ssrc.get(ssrc)
            if down is None or down.limiter is None:
                del self._octets[ssrc]
            elif now > at:
                octets = down.sent()[1]
                down.limiter.estimate(8 * (octets - before) / (now - at))
                self._octets[ssrc] = octets, now

    def _report_received(self, now: float) -> None:
        ingress = self._transport.ingress
        if not ingress.streams:  # nor are there repairs of any
            return
        blocks = [
            stream.stats.report(ssrc, now).words
            for streams in (ingress.streams, ingress.repairs)
            for ssrc, stream in streams.items()
            if stream.stats.highest >= 0
        ]
        for start in range(0, len(blocks), REPORTS_PER_PACKET):
            part = blocks[start : start + REPORTS_PER_PACKET]
            self._rtcp(rtcp.write_receiver_report(self._transport.rtcp_ssrc, part))

    def _sender_report_for(self, down: DownTrack, now: float, ntp64: int) -> bytes:
        """A report of a stream that is being sent; nothing if this one is to be left out."""
        rendition, span = down.rendition, down.span
        assert rendition is not None
        assert span is not None
        layer = rendition.layer
        timestamp = down.reports.timestamp(
            now,
            rendition.timestamp - span.timestamp,
            layer.last_packet_at,
            layer.clock.report,
            down.track.clock,
            span.timestamp,
        )
        if timestamp is None:
            return b""
        cname = self._transport.subscribing.cname(down)
        return rtcp.write_sender_report(down.ssrc, ntp64, timestamp, *down.sent(), cname)

    def _rtcp(self, packet: bytes) -> None:
        if self._transport.connected:
            self._put(self._transport.row, packet)
