"""Writing of RTCP packets; join them with ``b"".join`` into a compound."""

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

from sfu.rtp.errors import RtpError
from sfu.rtp.rtcp.packets import (
    MAX_COUNT,
    Block,
    BlockType,
    ExtendedReport,
    FirRequest,
    PacketType,
    PayloadFormat,
    ReceiverReport,
    SdesChunk,
    SenderReport,
    TransportFormat,
)
from sfu.rtp.rtcp.parse import CNAME_ITEM

MAX_TEXT = 255
"""Bytes of a CNAME or of a BYE's reason."""
MAX_REMB_SSRCS = 255
MAX_LOST_FIELDS = 256
"""PID and bit mask pairs of one NACK, which so stays below 1100 bytes."""


def build_sender_report(report: SenderReport, cname: str = "") -> bytes:
    """Write a sender report, followed by an SDES if ``cname`` is given. The two counters wrap at 32 bits."""
    info = (report.ssrc, report.ntp, report.rtp_timestamp, report.packet_count, report.octet_count)
    return write_sender_report(*info, cname, [block.words for block in report.reports])


def write_sender_report(
    ssrc: int,
    ntp: int,
    rtp_timestamp: int,
    packets: int,
    octets: int,
    cname: str = "",
    blocks: Sequence[Block] = (),
) -> bytes:
    """The same without the objects."""
    head = _report_head(PacketType.SR, len(blocks), 6)
    info = (ssrc, ntp, rtp_timestamp, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
    packet = _pack(f"!IIQ{3 + 6 * len(blocks)}I", head, *info, *chain.from_iterable(blocks))
    return packet + _cname(ssrc, cname) if cname else packet


def build_receiver_report(report: ReceiverReport) -> bytes:
    """Write a receiver report of up to 31 blocks."""
    return write_receiver_report(report.ssrc, [block.words for block in report.reports])


def write_receiver_report(ssrc: int, blocks: Sequence[Block]) -> bytes:
    """The same without the objects."""
    head = _report_head(PacketType.RR, len(blocks), 1)
    return _pack(f"!{2 + 6 * len(blocks)}I", head, ssrc, *chain.from_iterable(blocks))


def build_sdes(chunks: Sequence[SdesChunk]) -> bytes:
    """Write the CNAMEs of up to 31 sources."""
    body = b""
    for ssrc, cname in chunks:
        text = _text(cname)
        items = _pack("!IBB", ssrc, CNAME_ITEM, len(text)) + text
        body += items + bytes(4 - len(items) % 4)
    return _packet(PacketType.SDES, len(chunks), body)


@lru_cache(maxsize=1 << 12)
def _cname(ssrc: int, cname: str) -> bytes:
    """The SDES that goes with each of a stream's sender reports."""
    return build_sdes([SdesChunk(ssrc, cname)])


def build_bye(ssrcs: Sequence[int], reason: str = "") -> bytes:
    """Write a BYE for up to 31 sources."""
    body = _pack(f"!{len(ssrcs)}I", *ssrcs)
    if reason:
        body += bytes((len(_text(reason)),)) + _text(reason)
    return _packet(PacketType.BYE, len(ssrcs), body + bytes(-len(body) % 4))


def build_nack(sender_ssrc: int, media_ssrc: int, lost: Iterable[int]) -> bytes:
    """Ask for packets again by their 16-bit sequence numbers, in any order.

    Raises:
        RtpError: none are lost, or so scattered that they need more than ``MAX_LOST_FIELDS``.
    """
    missing = set(lost)
    if not missing or min(missing) < 0 or max(missing) > 0xFFFF:
        raise RtpError("NACK of nothing, or of numbers that aren't 16 bits")
    origin = next(iter(missing)) - 0x8000
    fields: list[list[int]] = []
    for sequence in sorted(missing, key=lambda number: number - origin & 0xFFFF):
        ahead = (sequence - fields[-1][0] & 0xFFFF) - 1 if fields else 16
        if ahead < 16:
            fields[-1][1] |= 1 << ahead
        else:
            fields.append([sequence, 0])
    if len(fields) > MAX_LOST_FIELDS:
        raise RtpError("NACK too long")
    body = _pack("!II", sender_ssrc, media_ssrc) + b"".join(_pack("!HH", *field) for field in fields)
    return _packet(PacketType.RTPFB, TransportFormat.NACK, body)


def build_pli(sender_ssrc: int, media_ssrc: int) -> bytes:
    """Ask for a key frame."""
    return _packet(PacketType.PSFB, PayloadFormat.PLI, _pack("!II", sender_ssrc, media_ssrc))


def build_fir(sender_ssrc: int, requests: Sequence[FirRequest]) -> bytes:
    """Command key frames; each request of one source has the next 8-bit sequence number."""
    body = _pack("!II", sender_ssrc, 0) + b"".join(_pack("!IB3x", *request) for request in requests)
    return _packet(PacketType.PSFB, PayloadFormat.FIR, body)


def build_remb(sender_ssrc: int, bitrate_bps: int, ssrcs: Sequence[int]) -> bytes:
    """State the bitrate that these sources may have together; its 18 highest bits are kept."""
    exponent = max(bitrate_bps.bit_length() - 18, 0)
    if bitrate_bps < 0 or exponent > 63 or len(ssrcs) > MAX_REMB_SSRCS:
        raise RtpError("REMB out of range")
    scaled = exponent << 18 | bitrate_bps >> exponent
    body = _pack("!II4sI", sender_ssrc, 0, b"REMB", len(ssrcs) << 24 | scaled)
    return _packet(PacketType.PSFB, PayloadFormat.APPLICATION, body + _pack(f"!{len(ssrcs)}I", *ssrcs))


def build_extended_report(report: ExtendedReport) -> bytes:
    """Write a reference time, answers to others' reference times, or both."""
    body = _pack("!I", report.ssrc)
    if report.reference_time is not None:
        body += _pack("!BxHQ", BlockType.RECEIVER_REFERENCE_TIME, 2, report.reference_time)
    if report.dlrr:
        body += _pack("!BxH", BlockType.DLRR, 3 * len(report.dlrr))
        body += b"".join(_pack("!III", *answer) for answer in report.dlrr)
    return _packet(PacketType.XR, 0, body)


def _packet(packet_type: int, count: int, body: bytes) -> bytes:
    if count > MAX_COUNT:
        raise RtpError("RTCP count does not fit five bits")
    return _pack("!I", (0x80 | count) << 24 | packet_type << 16 | len(body) // 4) + body


def _report_head(packet_type: int, blocks: int, words: int) -> int:
    """The first word of a report that has so many words before its blocks."""
    if blocks > MAX_COUNT:
        raise RtpError("RTCP count does not fit five bits")
    return (0x80 | blocks) << 24 | packet_type << 16 | words + 6 * blocks


def _text(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > MAX_TEXT:
        raise RtpError("RTCP text longer than 255 bytes")
    return encoded


def _pack(layout: str, *values: object) -> bytes:
    try:
        return struct.pack(layout, *values)
    except struct.error as error:
        raise RtpError("RTCP field out of range") from error
