"""Transport-wide feedback by compiled loops says what the general way says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sfu.compiled.feedback import (
    DUE,
    FEEDBACKS,
    FIRST_CYCLE,
    GENERAL,
    HIGHEST,
    KIND,
    MAX_ARRIVALS,
    MAX_SPAN,
    MEDIA_SSRC,
    RUN,
    SENDER_SSRC,
    STATE_WORDS,
    TOLD_WORDS,
    VECTORS,
    gather,
    write,
)
from sfu.compiled.intake import BLOCK, PHASES
from sfu.compiled.outgoing import PLAIN, ROW_COLUMNS, ROW_LENGTH, ROW_PEER, ROW_STATE
from sfu.net.arrays import Int64s
from sfu.rtp.twcc import build_feedback, parse_feedback

STRIDE = 1224
PHASE = 2

Report = list[tuple[int, int]]

STEPS = st.tuples(
    st.one_of(st.just(1), st.integers(1, 30)),
    st.one_of(st.integers(0, 3000), st.integers(-70_000, 200_000), st.integers(-8_000_000, 8_000_000)),
)


@st.composite
def one(draw: st.DrawFn) -> Report:
    report = [(draw(st.integers(FIRST_CYCLE, 1 << 40)), draw(st.integers(1 << 36, 1 << 51)))]
    for step, wait_us in draw(st.lists(STEPS, max_size=40)):
        report.append((report[-1][0] + step, report[-1][1] + wait_us))
    return report


def row_of(place: int) -> int:
    block, at = divmod(place, 5)
    return BLOCK * (PHASE + PHASES * block) + at


class Told:
    """What is told of reports, the first to the first transport and so on, which are all due."""

    def __init__(self, *reports: Report) -> None:
        self.states: Int64s = np.zeros((row_of(len(reports)), STATE_WORDS), np.int64)
        entries = []
        for n, report in enumerate(reports):
            state = self.states[row_of(n)]
            state[HIGHEST] = report[0][0] - 1
            state[SENDER_SSRC], state[MEDIA_SSRC], state[FEEDBACKS] = 0xFFFFFFFF - n, 1 + n, 250 + n & 0xFF
            entries += [(row_of(n) << 16 | number & 0xFFFF, at_us) for number, at_us in report]
        log = np.array(entries, np.int64)
        noted = np.zeros(PHASES, np.int64)
        noted[PHASE] = len(entries)
        told = np.zeros((len(reports), TOLD_WORDS), np.int64)
        arrivals = np.zeros((len(entries), 2), np.int64)
        count = gather(log, noted, PHASE, self.states, 0, MAX_ARRIVALS, told, arrivals)
        assert count == len(reports)
        assert noted[PHASE] == 0
        self.kinds: list[int] = told[:, KIND].tolist()
        self.memory = np.full((len(reports), STRIDE), 0xEE, np.uint8)
        rows = np.zeros((count, ROW_COLUMNS), np.int32)
        waits = np.array([[25, 25], [10, 5]], np.int64)
        written = write(told, count, arrivals, self.states, 0, waits, self.memory, rows)
        self.packets = [
            memory[:length].tobytes()
            for memory, length in zip(self.memory, rows[:written, ROW_LENGTH].tolist(), strict=False)
        ]
        assert rows[:written, ROW_PEER].tolist() == [
            row_of(place) for place, kind in enumerate(self.kinds) if kind != GENERAL
        ]
        assert (rows[:written, ROW_STATE] == PLAIN).all()


@given(st.lists(one(), min_size=1, max_size=12))
def test_many_at_once_say_what_each_would_alone(reports: list[Report]) -> None:
    told = Told(*reports)
    for report, kind in zip(reports, told.kinds, strict=True):
        waits_us = np.diff([at_us for _, at_us in report], prepend=report[0][1])
        if np.abs(waits_us).max() < 0x7FFF * 250 - 250:
            fits = len(report) <= MAX_ARRIVALS and report[-1][0] - report[0][0] < MAX_SPAN
            assert (kind != GENERAL) == fits
    chosen = [n for n, kind in enumerate(told.kinds) if kind != GENERAL]
    assert len(told.packets) == len(chosen)
    for out, (n, packet) in enumerate(zip(chosen, told.packets, strict=True)):
        report = reports[n]
        (alone,) = build_feedback(0xFFFFFFFF - n, 1 + n, report, 250 + n & 0xFF)
        assert packet[4:20] == alone[4:20], "SSRCs, base, count, reference time and feedback count"
        assert parse_feedback(packet, report[0][1]) == parse_feedback(alone, report[0][1])
        assert (told.memory[out, len(packet) :] == 0xEE).all()
        state = told.states[row_of(n)]
        assert state[HIGHEST] == report[-1][0]
        assert state[FEEDBACKS] == 251 + n & 0xFF
        assert state[DUE] == 25


def test_the_longest_fits_its_row() -> None:
    numbers = [FIRST_CYCLE + number for number in (*range(MAX_ARRIVALS - 1), MAX_SPAN - 1)]
    (packet,) = Told([(number, 1_000_000 * (n % 2)) for n, number in enumerate(numbers)]).packets
    assert len(packet) <= 1200
    assert len(parse_feedback(packet)) == MAX_SPAN


def test_what_is_no_plain_case() -> None:
    first = FIRST_CYCLE
    short = [(first, 0)]
    gap = [(first, 0), (first + 2, 0)]
    long = [(first + n, 0) for n in range(MAX_ARRIVALS + 1)]
    wide = [(first, 0), (first + MAX_SPAN, 0)]
    slow = [(first, 0), (first + 1, 0x8000 * 250)]
    back = [(first, 0x8001 * 250), (first + 1, 0)]
    twice = [(first, 0), (first, 0)]
    late = [(first + 1, 0), (first, 0)]
    kinds = Told(short, gap, long, wide, slow, back, twice, late).kinds
    assert kinds == [RUN, VECTORS, GENERAL, GENERAL, GENERAL, GENERAL, GENERAL, GENERAL]


def test_bytes_written_by_hand() -> None:
    # Base 10, 5 statuses, reference 2 x 64 ms, a vector of two bits 1 0 0 2 1, deltas 4, 264 and 0 ticks.
    base = FIRST_CYCLE + 10
    (packet,) = Told([(base, 129_000), (base + 3, 195_000), (base + 4, 195_000)]).packets
    assert packet == bytes.fromhex("afcd0006 ffffffff 00000001 000a0005 000002fa d090 04 0108 00 0002")


def test_a_run_written_by_hand() -> None:
    # Base 10, 3 statuses, reference 2 x 64 ms, a run of three, deltas 4, 4 and 0 ticks.
    base = FIRST_CYCLE + 10
    (packet,) = Told([(base, 129_000), (base + 1, 130_000), (base + 2, 130_000)]).packets
    assert packet == bytes.fromhex("afcd0006 ffffffff 00000001 000a0003 000002fa 2003 04 04 00 000003")
