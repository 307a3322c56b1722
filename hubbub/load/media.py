"""What a connected client does with RTP and RTCP: counts, reports, answers requests for key frames."""

import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from hubbub.load import reports
from hubbub.load.reports import SenderClock
from hubbub.load.sdp import VP8_RTX, Forwarded
from hubbub.load.sources import Source, VideoSource
from hubbub.load.streams import StreamTable
from sfu.rtp import ntp
from sfu.rtp.errors import RtpError
from sfu.rtp.extensions import ExtensionUri, walk
from sfu.rtp.header import parse_header
from sfu.rtp.rtcp import (
    Fir,
    Nack,
    Pli,
    ReceiverReport,
    SenderReport,
    build_pli,
    build_sender_report,
    parse_compound,
)
from sfu.rtp.twcc import build_report
from sfu.streams.feedback import ArrivalLog

MAX_COMPOUND = 1100
"""Bytes of one RTCP datagram."""
MAX_CLOCKS = 4096
"""Streams whose sender reports are remembered."""


class Path(Protocol):
    """What takes a client's packets to the server."""

    def send_rtcp(self, packet: bytes) -> None:
        """Send a compound."""

    def control(self, datagram: bytes, now: float) -> None:
        """Take what arrived and is not RTP."""

    def verify(self, pointer: Any, size: int) -> None:
        """Authenticate an RTP packet in place."""


class Media:
    """One client's media; ``owner`` is its number in the table of streams."""

    def __init__(self, owner: int, table: StreamTable, path: Path) -> None:
        self.announced: dict[int, Forwarded] = {}
        """By SSRC."""
        self.first_at: dict[int, float] = {}
        """When the first packet of each SSRC came."""
        self.repairing: set[int] = set()
        """SSRCs that carry retransmissions."""
        self.nacked = 0
        """Packets that the server asked for again."""
        self.sources: list[Source] = []
        self._owner = owner
        self._table = table
        self._path = path
        self._ssrc = secrets.randbits(31) | 1
        self._clocks: dict[int, SenderClock] = {}
        self._arrivals = ArrivalLog()
        self._transport_id = 0
        self._asked: set[int] = set()

    def announce(self, streams: Iterable[Forwarded], extensions: dict[int, str]) -> None:
        """Take what an answer says: the streams to come, and the ids of their extensions."""
        self.announced.update((one.ssrc, one) for one in streams)
        ids = {uri: number for number, uri in extensions.items()}
        self._transport_id = ids.get(ExtensionUri.TRANSPORT_CC, self._transport_id)

    def control(self, datagram: bytes, now: float) -> None:
        self._path.control(datagram, now)

    def began(self, ssrc: int, payload_type: int, at: float) -> bool:
        self.first_at[ssrc] = at
        if payload_type == VP8_RTX:
            self.repairing.add(ssrc)
        stream = self.announced.get(ssrc)
        return bool(self._transport_id) and stream is not None and stream.transport_cc

    def verify(self, pointer: Any, size: int) -> None:
        self._path.verify(pointer, size)

    def transport_packet(self, packet: memoryview, arrival_us: int) -> None:
        try:
            header = parse_header(packet, len(packet))
            elements = walk(packet, header.extension_profile, header.extension_start, header.extension_end)
        except RtpError:
            return
        for number, at, size in elements:
            if number == self._transport_id and size == 2:
                self._arrivals.record(packet[at] << 8 | packet[at + 1], arrival_us)
                return

    def send_feedback(self, now: float) -> None:
        """Send transport-wide feedback if it is due."""
        if not self._arrivals.due(now):
            return
        report, number = self._arrivals.take(now)
        packets = build_report(self._ssrc, 0, *report, number)
        self._arrivals.skip(len(packets) - 1)
        for packet in packets:
            self._path.send_rtcp(packet)

    def send_reports(self, now: float, unix_s: float) -> None:
        """Send what is due once a second: sender and receiver reports, REMB, and PLI for video that hasn't come."""
        packets = [
            build_sender_report(source.stream.report(unix_s, source.timestamp(now)), f"load-{self._owner}")
            for source in self.sources
            if source.stream.packets
        ]
        slots = self._table.slots_of.get(self._owner, [])
        packets += reports.receiver_reports(self._ssrc, self._table, slots, self._clocks, now)
        video = [ssrc for ssrc, one in self.announced.items() if one.kind == "video" and not one.repairs]
        if video:
            packets.append(reports.bandwidth(self._ssrc, video))
        for ssrc in video:
            if ssrc not in self.first_at and ssrc not in self._asked:
                self._asked.add(ssrc)
                packets.append(build_pli(self._ssrc, ssrc))
        for datagram in _datagrams(packets):
            self._path.send_rtcp(datagram)

    def rtcp(self, datagram: bytes, now: float) -> None:
        """Take a decrypted compound from the server."""
        try:
            packets = parse_compound(datagram)
        except RtpError:
            return
        for packet in packets:
            match packet:
                case SenderReport():
                    if packet.ssrc in self._clocks or len(self._clocks) < MAX_CLOCKS:
                        self._clocks[packet.ssrc] = SenderClock(ntp.middle(packet.ntp), now)
                    self._confirm(block.ssrc for block in packet.reports)
                case ReceiverReport():
                    self._confirm(block.ssrc for block in packet.reports)
                case Pli():
                    self._keyframe((packet.media_ssrc,))
                case Fir():
                    self._keyframe([request.ssrc for request in packet.requests])
                case Nack():
                    self.nacked += len(packet.lost)
                case _:
                    pass

    def _confirm(self, ssrcs: Iterable[int]) -> None:
        known = set(ssrcs)
        for source in self.sources:
            if source.stream.config.ssrc in known:
                source.stream.confirm()

    def _keyframe(self, ssrcs: Sequence[int]) -> None:
        for source in self.sources:
            if isinstance(source, VideoSource) and source.stream.config.ssrc in ssrcs:
                source.request_keyframe()


def _datagrams(packets: Iterable[bytes]) -> list[bytes]:
    """Join packets into compounds of up to MAX_COMPOUND bytes."""
    compounds: list[bytes] = []
    for packet in packets:
        if compounds and len(compounds[-1]) + len(packet) <= MAX_COMPOUND:
            compounds[-1] += packet
        else:
            compounds.append(packet)
    return compounds
