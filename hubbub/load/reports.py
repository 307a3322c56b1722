"""The RTCP that a receiving client sends: receiver reports, REMB, PLI and transport-wide feedback."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from hubbub.load.streams import StreamTable
from sfu.rtp import ntp
from sfu.rtp.rtcp import ReceiverReport, ReportBlock, build_receiver_report, build_remb
from sfu.rtp.rtcp.packets import MAX_COUNT

REMB_BPS = 50_000_000
"""What each client says it can receive: the test is about the server, not about its bandwidth estimation."""
MAX_REMB_SSRCS = 64


class SenderClock(NamedTuple):
    """The last sender report of a stream."""

    middle: int
    """Middle 32 bits of its NTP time."""
    at: float


def receiver_reports(
    sender_ssrc: int, table: StreamTable, slots: Iterable[int], clocks: Mapping[int, SenderClock], now: float
) -> list[bytes]:
    """Reports on all streams of a client, as many packets as they need."""
    blocks = [_block(table, slot, clocks, now) for slot in slots]
    groups = [blocks[at : at + MAX_COUNT] for at in range(0, len(blocks), MAX_COUNT)] or [[]]
    return [build_receiver_report(ReceiverReport(sender_ssrc, tuple(group))) for group in groups]


def bandwidth(sender_ssrc: int, ssrcs: Iterable[int]) -> bytes:
    """A REMB that allows more than any test needs."""
    return build_remb(sender_ssrc, REMB_BPS, list(ssrcs)[:MAX_REMB_SSRCS])


def _block(table: StreamTable, slot: int, clocks: Mapping[int, SenderClock], now: float) -> ReportBlock:
    expected, received = table.interval(slot)
    lost = expected - received
    fraction = min(255, (lost << 8) // expected) if expected > 0 and lost > 0 else 0
    ssrc = int(table.ssrc[slot])
    clock = clocks.get(ssrc)
    last_report, delay = (clock.middle, ntp.to_units(now - clock.at)) if clock else (0, 0)
    # Cycles count from the first packet, so the offset that keeps early packets positive goes.
    highest = int(table.highest[slot]) - (1 << 16) & 0xFFFFFFFF
    return ReportBlock(ssrc, fraction, table.lost(slot), highest, 0, last_report, delay)
