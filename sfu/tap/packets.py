"""RTP as a client in our own process reads and writes it (RFC 3550)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sfu.control import MediaKind, TrackId
from sfu.rtp import ntp
from sfu.rtp.extensions import encode, encode_audio_level
from sfu.rtp.header import build_header
from sfu.rtp.rtcp import SenderReport, build_sender_report
from sfu.tap.lines import LEVEL_ID, PAYLOAD_TYPES

MAX_PAYLOAD_BYTES = 1100
"""With all headers and the SRTP tag that fits every path of the internet."""
REPORT_S = 1.0
SILENT = 127
"""Audio level of silence, in -dBov."""


@dataclass(frozen=True, slots=True)
class Tapped:
    """One packet of a track that is subscribed to."""

    track_id: TrackId
    sequence: int
    timestamp: int
    """Of the codec's RTP clock, 32 bits."""
    marker: bool
    payload: bytes


class Outgoing:
    """Makes the packets of one published track, and its sender reports."""

    def __init__(self, kind: MediaKind, ssrc: int, first_sequence: int) -> None:
        self.kind = kind
        self.ssrc = ssrc
        self._sequence = first_sequence & 0xFFFF
        self._packets = 0
        self._octets = 0
        self._reported_at = float("-inf")

    def packets(
        self, payloads: Sequence[bytes], timestamp: int, *, level: int | None, first: bool
    ) -> list[bytes]:
        """The packets of one frame. ``first`` says that audio begins after a pause; video ends with a marker."""
        made = []
        extension = b""
        if level is not None:
            extension = encode([(LEVEL_ID, encode_audio_level(level < SILENT, level))])
        for index, payload in enumerate(payloads):
            marker = first if self.kind is MediaKind.AUDIO else index == len(payloads) - 1
            header = build_header(
                payload_type=PAYLOAD_TYPES[self.kind],
                sequence=self._sequence,
                timestamp=timestamp & 0xFFFFFFFF,
                ssrc=self.ssrc,
                marker=marker,
                extension=extension,
            )
            made.append(header + payload)
            self._sequence = self._sequence + 1 & 0xFFFF
            self._packets += 1
            self._octets += len(payload)
        return made

    def report(self, timestamp: int, now: float, unix_now: float) -> bytes | None:
        """A sender report once in a while: what has ``timestamp`` is captured now."""
        if now - self._reported_at < REPORT_S:
            return None
        self._reported_at = now
        counted = self._packets & 0xFFFFFFFF, self._octets & 0xFFFFFFFF
        return build_sender_report(
            SenderReport(self.ssrc, ntp.from_unix(unix_now), timestamp & 0xFFFFFFFF, *counted)
        )
