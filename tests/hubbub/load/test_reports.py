"""RTCP of a receiver, read back with the server's parser."""

import numpy as np
import pytest

from hubbub.load.reports import REMB_BPS, SenderClock, bandwidth, receiver_reports
from hubbub.load.streams import StreamTable
from sfu.rtp.rtcp import ReceiverReport, Remb, parse_compound


def table_of(streams: dict[int, list[int]]) -> StreamTable:
    table = StreamTable()
    for ssrc, sequences in streams.items():
        count = len(sequences)
        table.add(
            np.zeros(count, np.int64),
            np.full(count, ssrc, np.int64),
            np.array(sequences, np.int64),
            np.full(count, 100, np.int64),
        )
    return table


def read(packets: list[bytes]) -> list[ReceiverReport]:
    reports = [one for packet in packets for one in parse_compound(packet)]
    return [one for one in reports if isinstance(one, ReceiverReport)]


def test_a_report_tells_loss_and_the_delay_of_the_sender_report() -> None:
    table = table_of({5: [10, 11, 13, 14]})
    [report] = read(receiver_reports(1, table, [0], {5: SenderClock(0xABCD, 10.0)}, 10.5))
    [block] = report.reports
    assert (block.ssrc, block.cumulative_lost, block.highest_sequence) == (5, 1, 14)
    assert block.fraction_lost == 256 // 5
    assert (block.last_report, block.delay) == (0xABCD, 32_768)


def test_a_stream_without_sender_report_has_no_delay() -> None:
    [report] = read(receiver_reports(1, table_of({5: [65_535, 0]}), [0], {}, 10.0))
    [block] = report.reports
    assert (block.last_report, block.delay, block.highest_sequence) == (0, 0, 65_536)


@pytest.mark.parametrize(("streams", "packets"), [(0, 1), (31, 1), (32, 2)])
def test_reports_are_split_where_the_count_ends(streams: int, packets: int) -> None:
    table = table_of({n: [1] for n in range(1, streams + 1)})
    reports = read(receiver_reports(1, table, range(streams), {}, 1.0))
    assert len(reports) == packets
    assert sum(len(report.reports) for report in reports) == streams


def test_bandwidth_is_plenty() -> None:
    [remb] = parse_compound(bandwidth(1, [5, 6]))
    assert isinstance(remb, Remb)
    assert remb.ssrcs == (5, 6)
    assert remb.bitrate_bps == pytest.approx(REMB_BPS, rel=0.01)
