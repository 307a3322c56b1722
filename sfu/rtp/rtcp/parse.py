"""Reading of compound RTCP packets."""

import struct
from collections.abc import Callable

from sfu.rtp.errors import RtpError
from sfu.rtp.rtcp.packets import (
    MAX_BITRATE_BPS,
    MAX_DLRR,
    MAX_FIR_REQUESTS,
    MAX_NACKED,
    MAX_PACKETS,
    Block,
    BlockType,
    Bye,
    Dlrr,
    ExtendedReport,
    Fir,
    FirRequest,
    Nack,
    Packet,
    PacketType,
    PayloadFormat,
    Pli,
    ReceiverReport,
    Remb,
    ReportBlock,
    Sdes,
    SdesChunk,
    SenderReport,
    TransportFeedback,
    TransportFormat,
    Unknown,
)

CNAME_ITEM = 1

SenderInfo = tuple[int, int, int, int, int]
"""SSRC, NTP time, RTP timestamp, packets and octets of a sender report."""

_HEADER = struct.Struct("!BBH")
_SENDER_INFO = struct.Struct("!IQIII")
_REPORT = struct.Struct("!IB3sIIII")
_WORDS = struct.Struct("!IIIIII")
_RTPFB = int(PacketType.RTPFB)
_SR, _RR = int(PacketType.SR), int(PacketType.RR)
_CNAME_HEAD = bytes((0x81, PacketType.SDES))
_REMB_HEAD = bytes((0x80 | PayloadFormat.APPLICATION, PacketType.PSFB))
_LEAST = 8
"""Bytes of the shortest report."""
_TWO_SSRCS = struct.Struct("!II")
_LOST = struct.Struct("!HH")
_FIR = struct.Struct("!IB3x")
_BLOCK = struct.Struct("!BxH")
_DLRR = struct.Struct("!III")


def plain_reports(data: bytes) -> tuple[list[SenderInfo], list[Block]] | None:
    """What a datagram says that is nothing but sender and receiver reports, CNAMEs, and REMBs, as most are.

    None for any other, and for such with padding or extensions: those are for :func:`parse_compound`.
    """
    senders: list[SenderInfo] = []
    blocks: list[Block] = []
    start, size = 0, len(data)
    for _ in range(MAX_PACKETS):
        if size - start < _LEAST:
            return None
        first, packet_type, words = _HEADER.unpack_from(data, start)
        end = start + 4 + words * 4
        blocks_at = end - _WORDS.size * (first & 0x1F)
        if end > size or first & 0xE0 != 0x80:
            return None
        if packet_type == _SR and blocks_at == start + 4 + _SENDER_INFO.size:
            senders.append(_SENDER_INFO.unpack_from(data, start + 4))
        elif packet_type != _RR or blocks_at != start + 8:
            if not _is_cname(data, start, end) and not _is_remb(data, start, end):
                return None
            blocks_at = end
        if blocks_at < end:
            blocks += _WORDS.iter_unpack(data[blocks_at:end])
        if end == size:
            return senders, blocks
        start = end
    return None


def _is_cname(data: bytes, start: int, end: int) -> bool:
    """Whether a packet is an SDES of one source, its CNAME first and no other item."""
    if data[start : start + 2] != _CNAME_HEAD or end - start < 12 or data[start + 8] != CNAME_ITEM:
        return False
    behind = start + 10 + data[start + 9]
    return behind < end and not data[behind]


def _is_remb(data: bytes, start: int, end: int) -> bool:
    return (
        data[start : start + 2] == _REMB_HEAD
        and end - start >= 20
        and data[start + 12 : start + 16] == b"REMB"
        and end - start == 20 + 4 * data[start + 16]
    )


def signed24(lost: int) -> int:
    """Cumulative loss from the 32 bits that it shares with the fraction."""
    return (lost + 0x800000 & 0xFFFFFF) - 0x800000


def parse_compound(data: memoryview | bytes) -> list[Packet]:
    """Read every packet of a datagram.

    Any order and any first packet will do (reduced size, RFC 5506). Profile extensions of reports, unknown
    items and blocks are skipped. Padding is taken on any packet: libwebrtc pads feedback wherever it stands.

    Raises:
        RtpError: a length reaches outside its packet, or there are more than ``MAX_PACKETS``.
    """
    packets: list[Packet] = []
    start, end = 0, len(data)
    if not end:
        raise RtpError("empty RTCP datagram")
    while start < end:
        if end - start < 4:
            raise RtpError("RTCP datagram ends inside a header")
        if len(packets) == MAX_PACKETS:
            raise RtpError("too many RTCP packets in a datagram")
        first, packet_type, words = _HEADER.unpack_from(data, start)
        if first >> 6 != 2:
            raise RtpError("not RTCP version 2")
        stop = start + 4 + words * 4
        if stop > end:
            raise RtpError("RTCP packet reaches past its datagram")
        packets.append(_parse(bytes(data[start:stop]), packet_type, first & 0x1F, padded=bool(first & 0x20)))
        start = stop
    return packets


def _parse(packet: bytes, packet_type: int, count: int, *, padded: bool) -> Packet:
    """Read one packet; ``count`` is the format for feedback."""
    body = packet[4:]
    if padded:
        padding = packet[-1]
        if not 0 < padding <= len(body):
            raise RtpError("RTCP padding out of bounds")
        body = body[:-padding]
    if packet_type == PacketType.RTPFB and count == TransportFormat.TRANSPORT_CC:
        return TransportFeedback(_ssrc(body, 0), _ssrc(body, 4), packet)
    reader = _READERS.get(packet_type)
    if reader is None:
        return Unknown(packet_type, count)
    try:
        return reader(body, count)
    except struct.error as error:
        raise RtpError("RTCP packet too short for what it holds") from error


def _reports(body: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for offset in range(start, start + count * _REPORT.size, _REPORT.size):
        ssrc, fraction, lost, *rest = _REPORT.unpack_from(body, offset)
        blocks.append(ReportBlock(ssrc, fraction, int.from_bytes(lost, "big", signed=True), *rest))
    return tuple(blocks)


def _sender_report(body: bytes, count: int) -> Packet:
    ssrc, ntp, timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
    return SenderReport(ssrc, ntp, timestamp, packets, octets, _reports(body, _SENDER_INFO.size, count))


def _receiver_report(body: bytes, count: int) -> Packet:
    return ReceiverReport(_ssrc(body, 0), _reports(body, 4, count))


def _sdes(body: bytes, count: int) -> Packet:
    chunks = []
    offset = 0
    for _ in range(count):
        ssrc = _ssrc(body, offset)
        cname, offset = _sdes_items(body, offset + 4)
        chunks.append(SdesChunk(ssrc, cname))
    return Sdes(tuple(chunks))


def _sdes_items(body: bytes, offset: int) -> tuple[str, int]:
    """Read items up to their terminator; gives the CNAME and where the next chunk begins."""
    cname = ""
    while True:
        if offset >= len(body):
            raise RtpError("SDES chunk without its end")
        item = body[offset]
        if not item:
            return cname, (offset | 3) + 1
        if offset + 2 > len(body):
            raise RtpError("SDES item without its length")
        end = offset + 2 + body[offset + 1]
        if end > len(body):
            raise RtpError("SDES item reaches past its packet")
        if item == CNAME_ITEM:
            cname = body[offset + 2 : end].decode("utf-8", "replace")
        offset = end


def _bye(body: bytes, count: int) -> Packet:
    ssrcs = tuple(_ssrc(body, offset) for offset in range(0, count * 4, 4))
    rest = body[count * 4 :]
    if not rest:
        return Bye(ssrcs)
    if 1 + rest[0] > len(rest):
        raise RtpError("BYE reason reaches past its packet")
    return Bye(ssrcs, rest[1 : 1 + rest[0]].decode("utf-8", "replace"))


def _nack(body: bytes) -> Packet:
    sender, media = _TWO_SSRCS.unpack_from(body)
    if len(body) < 12:
        raise RtpError("NACK of nothing")
    lost: list[int] = []
    for first, mask in _LOST.iter_unpack(body[8:]):
        lost.append(first)
        while mask:
            bit = mask & -mask
            lost.append(first + bit.bit_length() & 0xFFFF)
            mask ^= bit
        if len(lost) >= MAX_NACKED:
            break
    return Nack(sender, media, tuple(lost[:MAX_NACKED]))


def _fir(body: bytes) -> Packet:
    sender, _ = _TWO_SSRCS.unpack_from(body)
    requests = [FirRequest(*fields) for fields in _FIR.iter_unpack(body[8:])]
    if not requests:
        raise RtpError("FIR of nothing")
    return Fir(sender, tuple(requests[:MAX_FIR_REQUESTS]))


def _remb(body: bytes) -> Packet:
    if len(body) < 16:
        raise RtpError("REMB too short")
    count = body[12]
    scaled = int.from_bytes(body[13:16], "big")
    bitrate = min((scaled & 0x3FFFF) << (scaled >> 18), MAX_BITRATE_BPS)
    return Remb(_ssrc(body, 0), bitrate, struct.unpack_from(f"!{count}I", body, 16))


def _transport(body: bytes, form: int) -> Packet:
    return _nack(body) if form == TransportFormat.NACK else Unknown(PacketType.RTPFB, form)


def _payload_specific(body: bytes, form: int) -> Packet:
    if form == PayloadFormat.PLI:
        return Pli(*_TWO_SSRCS.unpack_from(body))
    if form == PayloadFormat.FIR:
        return _fir(body)
    if form == PayloadFormat.APPLICATION and body[8:12] == b"REMB":
        return _remb(body)
    return Unknown(PacketType.PSFB, form)


def _extended_report(body: bytes, _: int) -> Packet:
    ssrc = _ssrc(body, 0)
    reference_time = None
    dlrr: list[Dlrr] = []
    offset = 4
    while offset < len(body):
        block_type, words = _BLOCK.unpack_from(body, offset)
        block = body[offset + 4 : offset + 4 + words * 4]
        if len(block) != words * 4:
            raise RtpError("extended report block reaches past its packet")
        if block_type == BlockType.RECEIVER_REFERENCE_TIME:
            if words != 2:
                raise RtpError("reference time is not 64 bits")
            reference_time = int.from_bytes(block, "big")
        elif block_type == BlockType.DLRR:
            dlrr += [Dlrr(*fields) for fields in _DLRR.iter_unpack(block)]
        offset += 4 + words * 4
    return ExtendedReport(ssrc, reference_time, tuple(dlrr[:MAX_DLRR]))


def _ssrc(body: bytes, offset: int) -> int:
    if offset + 4 > len(body):
        raise RtpError("RTCP packet ends before an SSRC")
    return int.from_bytes(body[offset : offset + 4], "big")


_READERS: dict[int, Callable[[bytes, int], Packet]] = {
    PacketType.SR: _sender_report,
    PacketType.RR: _receiver_report,
    PacketType.SDES: _sdes,
    PacketType.BYE: _bye,
    PacketType.RTPFB: _transport,
    PacketType.PSFB: _payload_specific,
    PacketType.XR: _extended_report,
}
