"""What RTCP packets say, and the numbers that name them on the wire."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

MAX_PACKETS: Final = 128
"""Packets read of one compound; more is an error. A full datagram of real reports has a dozen."""
MAX_NACKED: Final = 1024
"""Sequence numbers taken of one NACK, the rest is ignored. libwebrtc's receivers keep up to 1000 missing."""
MAX_FIR_REQUESTS: Final = 32
"""Requests taken of one FIR, the rest is ignored."""
MAX_DLRR: Final = 64
"""Sub-blocks taken of the DLRR blocks of one extended report, the rest is ignored."""
MAX_BITRATE_BPS: Final = (1 << 63) - 1
"""Where a REMB is cut: its 6-bit exponent reaches far beyond."""
MAX_COUNT: Final = 31
"""What the 5-bit count of report blocks, chunks and sources can say."""


class PacketType(IntEnum):
    """RTCP packet types (RFC 3550 section 12.1, RFC 4585, RFC 3611)."""

    SR = 200
    RR = 201
    SDES = 202
    BYE = 203
    APP = 204
    RTPFB = 205
    PSFB = 206
    XR = 207


class TransportFormat(IntEnum):
    """Formats of RTPFB (RFC 4585, draft-holmer-rmcat-transport-wide-cc-extensions-01)."""

    NACK = 1
    TRANSPORT_CC = 15


class PayloadFormat(IntEnum):
    """Formats of PSFB (RFC 4585, RFC 5104)."""

    PLI = 1
    FIR = 4
    APPLICATION = 15


class BlockType(IntEnum):
    """Blocks of extended reports (RFC 3611)."""

    RECEIVER_REFERENCE_TIME = 4
    DLRR = 5


Block = tuple[int, int, int, int, int, int]
"""The words of a :class:`ReportBlock`; the second holds the fraction lost, and below it the cumulative loss."""


class ReportBlock(NamedTuple):
    """Reception of one source (RFC 3550 section 6.4.1)."""

    ssrc: int
    fraction_lost: int
    """Lost of the last interval's packets, in 1/256."""
    cumulative_lost: int
    """Signed 24 bits on the wire: duplicates may make it negative."""
    highest_sequence: int
    """32 bits, the upper half counts wraps."""
    jitter: int
    """In units of the RTP clock."""
    last_report: int
    """Middle 32 bits of the NTP time of the last sender report; 0 for none."""
    delay: int
    """Since that report, in 1/65536 s."""

    @property
    def words(self) -> Block:
        """A loss that 24 bits can't say stays at their ends (RFC 3550 appendix A.3)."""
        ssrc, fraction, lost, highest, jitter, last_report, delay = self
        lost = min(max(lost, -0x800000), 0x7FFFFF)
        return ssrc, fraction << 24 | lost & 0xFFFFFF, highest, jitter, last_report, delay


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What a source has sent, and at which time its RTP clock stood where (RFC 3550 section 6.4.1)."""

    ssrc: int
    ntp: int
    """64 bits."""
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """How sources are received."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


class SdesChunk(NamedTuple):
    """Name of one source."""

    ssrc: int
    cname: str
    """Empty when the chunk has other items only."""


@dataclass(frozen=True, slots=True)
class Sdes:
    """Names of sources; only the canonical name is read."""

    chunks: tuple[SdesChunk, ...]


@dataclass(frozen=True, slots=True)
class Bye:
    """Sources that end."""

    ssrcs: tuple[int, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Nack:
    """Lost packets of a source, as 16-bit sequence numbers."""

    sender_ssrc: int
    media_ssrc: int
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pli:
    """The decoder needs a key frame of ``media_ssrc``."""

    sender_ssrc: int
    media_ssrc: int


class FirRequest(NamedTuple):
    """Command to one source."""

    ssrc: int
    sequence: int
    """8 bits; the same number again is a repeat, not a new request (RFC 5104 section 4.3.1)."""


@dataclass(frozen=True, slots=True)
class Fir:
    """Commands to send key frames (RFC 5104 section 4.3.1)."""

    sender_ssrc: int
    requests: tuple[FirRequest, ...]


@dataclass(frozen=True, slots=True)
class Remb:
    """Receiver's estimate of the bitrate of all ``ssrcs`` together (draft-alvestrand-rmcat-remb-03)."""

    sender_ssrc: int
    bitrate_bps: int
    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TransportFeedback:
    """Transport-wide feedback; ``raw`` is the whole packet, for ``sfu.rtp.twcc.parse_feedback``."""

    sender_ssrc: int
    media_ssrc: int
    raw: bytes


class Dlrr(NamedTuple):
    """How long ago a receiver's reference time reached the sender of this block."""

    ssrc: int
    last_reference: int
    """Middle 32 bits of the NTP time received."""
    delay: int
    """Since then, in 1/65536 s."""


@dataclass(frozen=True, slots=True)
class ExtendedReport:
    """The two blocks that measure round trips without sending media (RFC 3611 sections 4.4 and 4.5)."""

    ssrc: int
    reference_time: int | None = None
    """64-bit NTP."""
    dlrr: tuple[Dlrr, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """A well-formed packet of a type or format not read here, such as APP or TMMBR."""

    packet_type: int
    format: int


Packet = (
    SenderReport
    | ReceiverReport
    | Sdes
    | Bye
    | Nack
    | Pli
    | Fir
    | Remb
    | TransportFeedback
    | ExtendedReport
    | Unknown
)
