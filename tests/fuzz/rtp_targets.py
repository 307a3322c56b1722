"""Targets for RTP, RTCP and header extensions: either ``RtpError``, or a result that holds together."""

from sfu.rtp import rtcp, twcc
from sfu.rtp.errors import RtpError
from sfu.rtp.extensions import encode, walk
from sfu.rtp.header import build_header, demux, parse_header


def header(data: bytes) -> None:
    """A packet: its parts lie in order inside it, and its extension block can be walked."""
    demux(*data[:2].ljust(2, b"\0"))
    try:
        parsed = parse_header(memoryview(data), len(data))
        assert 12 <= parsed.extension_start <= parsed.extension_end == parsed.payload_start
        assert parsed.payload_start <= parsed.payload_end <= len(data)
        walk(memoryview(data), parsed.extension_profile, parsed.extension_start, parsed.extension_end)
    except RtpError:
        return
    again = build_header(
        marker=parsed.marker,
        payload_type=parsed.payload_type,
        sequence=parsed.sequence,
        timestamp=parsed.timestamp,
        ssrc=parsed.ssrc,
    )
    assert parse_header(again, len(again))[:5] == parsed[:5]


def extensions(data: bytes) -> None:
    """A block behind its profile: elements lie in order inside it, and are the same once written again."""
    profile = int.from_bytes(data[:2], "big")
    try:
        elements = walk(data, profile, 2, len(data))
    except RtpError:
        return
    assert [at for _, at, _ in elements] == sorted({at for _, at, _ in elements})
    values = [(number, data[at : at + length]) for number, at, length in elements]
    block = encode(values)
    if block:
        again = walk(block, int.from_bytes(block[:2], "big"), 4, len(block))
        assert [(number, block[at : at + length]) for number, at, length in again] == values


def compound(data: bytes) -> None:
    """A compound: what can be written again reads the same."""
    try:
        packets = rtcp.parse_compound(memoryview(data))
    except RtpError:
        return
    for packet in packets:
        match packet:
            case rtcp.SenderReport():
                again = rtcp.build_sender_report(packet)
            case rtcp.ReceiverReport():
                again = rtcp.build_receiver_report(packet)
            case rtcp.ExtendedReport():
                again = rtcp.build_extended_report(packet)
            case rtcp.Fir(sender, requests):
                again = rtcp.build_fir(sender, requests)
            case rtcp.Bye(ssrcs):
                again = rtcp.build_bye(ssrcs)
                packet = rtcp.Bye(ssrcs)
            case rtcp.TransportFeedback():
                _read_feedback(packet.raw)
                continue
            case _:
                continue
        assert rtcp.parse_compound(again) == [packet]


def feedback(data: bytes) -> None:
    """Transport-wide feedback: arrivals can be told again, and mean the same."""
    _read_feedback(data)


def _read_feedback(data: bytes) -> None:
    try:
        statuses = twcc.parse_feedback(memoryview(data))
    except RtpError:
        return
    assert 0 < len(statuses) <= twcc.MAX_STATUSES
    first = statuses[0][0]
    came = [(first + place, at) for place, (_, at) in enumerate(statuses) if at is not None]
    packets = twcc.build_feedback(1, 2, came, 0)
    again = [status for packet in packets for status in twcc.parse_feedback(packet)]
    assert [at for _, at in again if at is not None] == [at for _, at in came]
