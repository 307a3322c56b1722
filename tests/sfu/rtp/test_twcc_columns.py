"""Transport-wide feedback by column says what the general way says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sfu.rtp.twcc import build_feedback, parse_feedback
from sfu.rtp.twcc_columns import MAX_ARRIVALS, MAX_SPAN, Addressing, Reports, fitting, write

STRIDE = 1224

Report = list[tuple[int, int]]

STEPS = st.tuples(
    st.one_of(st.just(1), st.integers(1, 30)),
    st.one_of(st.integers(0, 3000), st.integers(-70_000, 200_000), st.integers(-8_000_000, 8_000_000)),
)


@st.composite
def one(draw: st.DrawFn) -> Report:
    report = [(draw(st.integers(0, 1 << 40)), draw(st.integers(1 << 36, 1 << 51)))]
    for step, wait_us in draw(st.lists(STEPS, max_size=40)):
        report.append((report[-1][0] + step, report[-1][1] + wait_us))
    return report


def columns(reports: list[Report]) -> Reports:
    pairs = [pair for report in reports for pair in report]
    bounds = np.cumsum([0, *map(len, reports)])
    sequences, arrivals_us = np.array(pairs, np.int64).T
    return Reports(bounds, sequences.copy(), arrivals_us.copy())


def addressing(count: int, first: int = 250) -> Addressing:
    numbers = np.arange(count)
    return Addressing(0xFFFFFFFF - numbers, 1 + numbers, (first + numbers) & 0xFF)


@given(st.lists(one(), min_size=1, max_size=12))
def test_many_at_once_say_what_each_would_alone(reports: list[Report]) -> None:
    fits = fitting(columns(reports))
    for report, fit in zip(reports, fits.tolist(), strict=True):
        waits_us = np.diff([at_us for _, at_us in report], prepend=report[0][1])
        if np.abs(waits_us).max() < 0x7FFF * 250 - 250:
            assert fit == (len(report) <= MAX_ARRIVALS and report[-1][0] - report[0][0] < MAX_SPAN)
    chosen = [report for report, fit in zip(reports, fits.tolist(), strict=True) if fit]
    if not chosen:
        return
    rows = np.full((len(chosen), STRIDE), 0xEE, np.uint8)
    to = addressing(len(chosen))
    lengths = write(rows, columns(chosen), to)
    for n, report in enumerate(chosen):
        packet = rows[n, : lengths[n]].tobytes()
        (alone,) = build_feedback(int(to.sender_ssrcs[n]), int(to.media_ssrcs[n]), report, int(to.counts[n]))
        assert packet[4:20] == alone[4:20], "SSRCs, base, count, reference time and feedback count"
        assert parse_feedback(packet, report[0][1]) == parse_feedback(alone, report[0][1])
        assert (rows[n, lengths[n] :] == 0xEE).all()


def test_the_longest_fits_its_row() -> None:
    sequences = [*range(MAX_ARRIVALS - 1), MAX_SPAN - 1]
    report = [(sequence, 1_000_000 * (n % 2)) for n, sequence in enumerate(sequences)]
    assert fitting(columns([report])).all()
    rows = np.zeros((1, STRIDE), np.uint8)
    (length,) = write(rows, columns([report]), addressing(1)).tolist()
    assert length <= 1200
    assert len(parse_feedback(rows[0, :length].tobytes())) == MAX_SPAN


def test_what_is_too_long_does_not_fit() -> None:
    short = [(0, 0)]
    long = [(n, 0) for n in range(MAX_ARRIVALS + 1)]
    wide = [(0, 0), (MAX_SPAN, 0)]
    slow = [(0, 0), (1, 0x8000 * 250)]
    back = [(0, 0x8001 * 250), (1, 0)]
    assert fitting(columns([short, long, wide, slow, back])).tolist() == [True, False, False, False, False]


def test_bytes_written_by_hand() -> None:
    # Base 10, 5 statuses, reference 2 x 64 ms, a vector of two bits 1 0 0 2 1, deltas 4, 264 and 0 ticks.
    rows = np.full((1, STRIDE), 0xEE, np.uint8)
    to = Addressing(*(np.array([value]) for value in (1, 2, 7)))
    (length,) = write(rows, columns([[(10, 129_000), (13, 195_000), (14, 195_000)]]), to).tolist()
    expected = bytes.fromhex("afcd0006 00000001 00000002 000a0005 00000207 d090 04 0108 00 0002")
    assert rows[0, :length].tobytes() == expected
