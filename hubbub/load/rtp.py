"""One outgoing RTP stream: numbers, header extensions and what its sender reports say (RFC 3550, RFC 8285)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from struct import Struct

from sfu.rtp import ntp
from sfu.rtp.extensions import ExtensionUri, encode
from sfu.rtp.rtcp import SenderReport

_HEADER = Struct("!BBHII")
_U16 = Struct("!H")
_BLOCK_START = 4
"""Bytes of the extension block's profile and length."""


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """What stays the same for all packets of a stream."""

    ssrc: int
    payload_type: int
    clock_rate: int
    mid: str
    rid: str = ""
    extensions: Mapping[int, str] | None = None
    """URIs by id that the server accepted for the m-line."""
    first_sequence: int = 0
    first_timestamp: int = 0


class RtpStream:
    """Makes the packets of one SSRC.

    MID and RID go along until :meth:`confirm` says that the server knows the SSRC, as browsers do it.
    """

    def __init__(self, config: StreamConfig, transport_sequence: Iterator[int]) -> None:
        self.config = config
        self.packets = 0
        self.octets = 0
        """Payload bytes."""
        self._sequence = config.first_sequence
        self._transport_sequence = transport_sequence
        self._ids = {uri: number for number, uri in (config.extensions or {}).items()}
        self._confirmed = False
        self._write_block()

    def confirm(self) -> None:
        """Leave out MID and RID from now on."""
        if not self._confirmed:
            self._confirmed = True
            self._write_block()

    def timestamp(self, elapsed_s: float) -> int:
        """The RTP time that long after the stream's beginning."""
        return self.config.first_timestamp + round(elapsed_s * self.config.clock_rate) & 0xFFFFFFFF

    def packet(self, payload: bytes, timestamp: int, *, marker: bool, level: int = 127) -> bytes:
        """The next packet; ``level`` is the audio level in -dBov with the voice bit, if that was negotiated."""
        block = self._block
        if self._transport_at:
            _U16.pack_into(block, self._transport_at, next(self._transport_sequence) & 0xFFFF)
        if self._level_at:
            block[self._level_at] = level
        first = 0x90 if block else 0x80
        second = self.config.payload_type | (0x80 if marker else 0)
        header = _HEADER.pack(first, second, self._sequence, timestamp, self.config.ssrc)
        self._sequence = self._sequence + 1 & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return b"".join((header, block, payload))

    def report(self, unix_s: float, timestamp: int) -> SenderReport:
        """What was sent so far, and that the RTP time is ``timestamp`` at ``unix_s``."""
        return SenderReport(self.config.ssrc, ntp.from_unix(unix_s), timestamp, self.packets, self.octets)

    def _write_block(self) -> None:
        """Encode the extensions with zeros where numbers will be; those come first, at fixed offsets."""
        elements: list[tuple[int, bytes]] = []
        self._transport_at = self._level_at = 0
        at = _BLOCK_START
        if number := self._ids.get(ExtensionUri.TRANSPORT_CC):
            elements.append((number, bytes(2)))
            self._transport_at = at + 1
            at += 3
        if number := self._ids.get(ExtensionUri.AUDIO_LEVEL):
            elements.append((number, bytes(1)))
            self._level_at = at + 1
        if not self._confirmed:
            texts = ((ExtensionUri.MID, self.config.mid), (ExtensionUri.RID, self.config.rid))
            elements += [(self._ids[uri], text.encode()) for uri, text in texts if text and uri in self._ids]
        self._block = bytearray(encode(elements))
