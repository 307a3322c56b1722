"""One SSRC of a deterministic publisher: real RTP and RTCP bytes, on a clock that the test moves."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from struct import pack
from typing import NamedTuple

NTP_EPOCH_S = 3_944_678_400  # 2025-01-01 in NTP seconds, where sources' time 0 lies

HISTORY = 1000


class SentPacket(NamedTuple):
    """One RTP packet and what is in it."""

    data: bytes
    ssrc: int
    sequence: int
    timestamp: int
    marker: bool
    payload: bytes
    frame: int
    """Frames of this source so far, from 0."""
    starts_frame: bool
    keyframe: bool
    temporal: int
    spatial: int
    sent_at: float


@dataclass(frozen=True, slots=True)
class ExtensionIds:
    """Negotiated header-extension ids; 0 leaves one out."""

    mid: int = 1
    rid: int = 2
    repaired_rid: int = 3
    abs_send_time: int = 4
    twcc: int = 5
    audio_level: int = 10
    dependency: int = 0


@dataclass(slots=True)
class TransportCounter:
    """Transport-wide sequence numbers, one counter for all sources of a connection."""

    next: int = 0

    def take(self) -> int:
        taken, self.next = self.next, (self.next + 1) & 0xFFFF
        return taken


@dataclass(slots=True)
class StreamConfig:
    """How one SSRC is negotiated, and where its numbers begin."""

    ssrc: int
    payload_type: int
    clock_rate: int = 90_000
    mid: str = ""
    rid: str = ""
    """Sent with the mid in the first ``announced`` packets."""
    announced: int = 50
    rtx_ssrc: int = 0
    rtx_payload_type: int = 0
    first_sequence: int = 0
    first_timestamp: int = 0
    cname: str = "harness"
    clock_drift: float = 1.0
    """Media seconds per real second."""
    ids: ExtensionIds = field(default_factory=ExtensionIds)
    transport: TransportCounter = field(default_factory=TransportCounter)


class RtpStream:
    """One SSRC: headers, counters, sender reports and retransmissions."""

    def __init__(self, config: StreamConfig) -> None:
        self.config = config
        self.sequence = config.first_sequence & 0xFFFF
        self.packets = 0
        self.octets = 0
        self._rtx_sequence = 0
        self._history: dict[int, SentPacket] = {}

    def timestamp(self, at: float) -> int:
        """The media timestamp of a real instant."""
        ticks = round(at * self.config.clock_drift * self.config.clock_rate)
        return (self.config.first_timestamp + ticks) & 0xFFFFFFFF

    def packet(
        self,
        payload: bytes,
        at: float,
        *,
        marker: bool,
        frame: int,
        starts_frame: bool = True,
        keyframe: bool = False,
        temporal: int = 0,
        spatial: int = 0,
        extensions: Iterable[tuple[int, bytes]] = (),
    ) -> SentPacket:
        """The next packet, with the extensions of its config besides those given."""
        config = self.config
        timestamp, sequence = self.timestamp(at), self.sequence
        values = [*self._announcement(), *self._transport_values(at), *extensions]
        header = rtp_header(config.payload_type, sequence, timestamp, config.ssrc, marker, values)
        sent = SentPacket(
            header + payload,
            config.ssrc,
            sequence,
            timestamp,
            marker,
            payload,
            frame,
            starts_frame,
            keyframe,
            temporal,
            spatial,
            at,
        )
        self.sequence = (sequence + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        self._history[sequence] = sent
        if len(self._history) > HISTORY:
            del self._history[next(iter(self._history))]
        return sent

    def resend(self, sequence: int, at: float) -> bytes | None:
        """Answer a NACK: RTX (RFC 4588) if negotiated, else the packet itself; None if it is forgotten."""
        sent = self._history.get(sequence)
        if sent is None:
            return None
        config, ids = self.config, self.config.ids
        if not config.rtx_ssrc:
            return sent.data
        values = self._transport_values(at)
        if config.mid and ids.mid:
            values.append((ids.mid, config.mid.encode()))
        if config.rid and ids.repaired_rid:
            values.append((ids.repaired_rid, config.rid.encode()))
        header = rtp_header(
            config.rtx_payload_type, self._rtx_sequence, sent.timestamp, config.rtx_ssrc, sent.marker, values
        )
        self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
        return header + sequence.to_bytes(2, "big") + sent.payload

    def sender_report(self, at: float) -> bytes:
        """Compound RTCP: sender report and CNAME (RFC 3550 sections 6.4.1 and 6.5)."""
        config = self.config
        ntp64 = round((NTP_EPOCH_S + at) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF
        report = pack(
            "!BBHIQIII",
            0x80,
            200,
            6,
            config.ssrc,
            ntp64,
            self.timestamp(at),
            self.packets & 0xFFFFFFFF,
            self.octets & 0xFFFFFFFF,
        )
        item = bytes([1, len(config.cname)]) + config.cname.encode()
        chunk = config.ssrc.to_bytes(4, "big") + item
        chunk += bytes(4 - len(chunk) % 4)
        return report + pack("!BBH", 0x81, 202, len(chunk) // 4) + chunk

    def _announcement(self) -> list[tuple[int, bytes]]:
        config, ids = self.config, self.config.ids
        if self.packets >= config.announced:
            return []
        named = ((ids.mid, config.mid), (ids.rid, config.rid))
        return [(number, name.encode()) for number, name in named if number and name]

    def _transport_values(self, at: float) -> list[tuple[int, bytes]]:
        ids = self.config.ids
        values = []
        if ids.abs_send_time:
            values.append((ids.abs_send_time, (round(at * (1 << 18)) & 0xFFFFFF).to_bytes(3, "big")))
        if ids.twcc:
            values.append((ids.twcc, self.config.transport.take().to_bytes(2, "big")))
        return values


def rtp_header(
    payload_type: int,
    sequence: int,
    timestamp: int,
    ssrc: int,
    marker: bool,
    extensions: Iterable[tuple[int, bytes]] = (),
) -> bytes:
    """A fixed header and, if there are any, extensions: one-byte form where all fit it (RFC 8285)."""
    values = list(extensions)
    first = 0x80 | (0x10 if values else 0)
    header = pack("!BBHII", first, marker << 7 | payload_type, sequence, timestamp, ssrc)
    if not values:
        return header
    if all(number < 15 and 1 <= len(value) <= 16 for number, value in values):
        profile = 0xBEDE
        body = b"".join(bytes([number << 4 | len(value) - 1]) + value for number, value in values)
    else:
        profile = 0x1000
        body = b"".join(bytes([number, len(value)]) + value for number, value in values)
    body += bytes(-len(body) % 4)
    return header + pack("!HH", profile, len(body) // 4) + body
