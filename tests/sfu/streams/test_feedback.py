"""The log of transport-wide arrivals (fault 44: duplicates, jumps, missing numbers)."""

from hypothesis import given
from hypothesis import strategies as st

from sfu.streams.feedback import LIMIT, ArrivalLog


def take(log: ArrivalLog, now: float) -> list[tuple[int, int]]:
    return list(zip(*log.take(now)[0], strict=True))


def numbers(log: ArrivalLog, now: float) -> list[int]:
    return [ext_seq & 0xFFFF for ext_seq, _ in take(log, now)]


def test_arrivals_come_out_in_order_with_a_counter():
    log = ArrivalLog()
    for seq, at_us in ((5, 1000), (7, 3000), (6, 2000)):
        log.record(seq, at_us)
    (sequences, arrivals_us), fb_count = log.take(0.0)
    assert [ext_seq - sequences[0] for ext_seq in sequences] == [0, 1, 2]
    assert list(arrivals_us) == [1000, 2000, 3000]
    assert fb_count == 0
    log.record(8, 4000)
    assert log.take(0.1)[1] == 1


def test_numbers_go_on_past_the_wrap():
    log = ArrivalLog()
    for seq in (65534, 65535, 0, 1):
        log.record(seq, seq)
    pairs = take(log, 0.0)
    assert [ext_seq - pairs[0][0] for ext_seq, _ in pairs] == [0, 1, 2, 3]


def test_the_first_arrival_of_a_duplicate_counts_even_when_reported():
    log = ArrivalLog()
    log.record(1, 1000)
    log.record(1, 9000)
    assert take(log, 0.0)[0][1] == 1000
    log.record(1, 10_000)
    assert log.take(0.1) == (((), ()), 1)
    assert log.duplicates == 2
    assert not log.due(10.0)


def test_a_late_packet_repeats_what_was_reported_after_it():
    log = ArrivalLog()
    for seq in (1, 2, 4, 5):
        log.record(seq, seq * 1000)
    log.take(0.0)
    log.record(6, 6000)
    log.record(3, 7000)
    assert numbers(log, 0.1) == [3, 4, 5, 6]
    log.record(7, 8000)
    assert numbers(log, 0.2) == [7]


def test_a_very_late_packet_is_not_worth_repeating_everything():
    log = ArrivalLog()
    for seq in range(1, 600):
        if seq != 5:
            log.record(seq, seq)
    log.take(0.0)
    log.record(5, 1000)
    assert take(log, 0.1) == []


def test_when_it_is_due():
    log = ArrivalLog()
    assert not log.due(0.0)
    log.record(0, 0)
    assert log.due(0.0), "the first at once"
    log.take(0.0)
    for seq in range(1, 21):
        log.record(seq, seq)
    assert not log.due(0.099)
    assert log.due(0.1)
    log.take(0.1)
    log.record(21, 21)
    assert not log.due(0.149)
    assert log.due(0.1501), "after much sooner"
    log.take(0.16)
    log.record(22, 22)
    assert log.due_at == 0.16 + 0.1


def test_silence_is_not_due():
    log = ArrivalLog()
    log.record(0, 0)
    log.take(0.0)
    assert not log.due(100.0)
    assert log.due_at == float("inf")
    assert take(log, 100.0) == []


def test_the_counter_wraps_and_counts_split_messages():
    log = ArrivalLog()
    log.skip(255)
    log.record(0, 0)
    assert log.take(0.0)[1] == 255
    log.skip(2)
    log.record(1, 1)
    assert log.take(0.1)[1] == 2


def test_a_jump_of_32k_starts_afresh():
    log = ArrivalLog()
    log.record(10, 0)
    log.record(32_778, 1000)
    log.record(32_779, 2000)
    assert numbers(log, 0.0) == [32_778, 32_779]
    assert log.restarts == 1


def test_a_flood_without_feedback_stays_bounded():
    log = ArrivalLog()
    for n in range(3 * LIMIT):
        log.record(n & 0xFFFF, n)
    assert len(take(log, 0.0)) == LIMIT
    log.record(3 * LIMIT, 3 * LIMIT)
    assert numbers(log, 0.1) == [3 * LIMIT]


def test_reported_arrivals_are_forgotten():
    log = ArrivalLog()
    for n in range(10_000):
        log.record(n & 0xFFFF, n * 1000)
        if n % 50 == 49:
            log.take(n / 1000)
    assert sum(len(report.sequences) for report in log._reports) <= 600


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.booleans()), max_size=300))
def test_whatever_comes_each_report_is_ordered_and_without_repeats(script: list[tuple[int, bool]]):
    log, at_us, taken = ArrivalLog(), 0, 0
    for seq, take in script:
        at_us += 1000
        log.record(seq, at_us)
        if take:
            report, fb_count = log.take(at_us / 1e6)
            found = list(report.sequences)
            assert found == sorted(set(found))
            assert fb_count == taken & 0xFF
            taken += bool(found)
            assert not found or found[-1] - found[0] <= 0xFFFF


class Thorough(ArrivalLog):
    """Takes nothing for the usual case."""

    def _follow(self, runs: object, arrivals_us: object) -> None:
        return None


STEPS = st.one_of(st.just(1), st.integers(-4, 6), st.integers(-3000, 3000), st.just(0x8000))


@given(
    st.integers(0, 0xFFFF),
    st.lists(st.tuples(STEPS, st.integers(1, 25), st.integers(0, 300_000)), max_size=40),
)
def test_the_usual_case_is_no_special_case(seq: int, script: list[tuple[int, int, int]]) -> None:
    """Runs without a gap go a shorter way, with the same outcome."""
    log, thorough, at_us = ArrivalLog(), Thorough(), 1 << 50
    for step, run, wait_us in script:
        seq += step - 1
        for _ in range(run):
            seq += 1
            at_us += 150
            log.record(seq & 0xFFFF, at_us)
            thorough.record(seq & 0xFFFF, at_us)
        at_us += wait_us
        (sequences, arrivals_us), fb_count = log.take(at_us / 1e6)
        expected, expected_count = thorough.take(at_us / 1e6)
        assert list(sequences) == list(expected.sequences)
        assert (arrivals_us, fb_count) == (expected.arrivals_us, expected_count)
    assert (log.duplicates, log.restarts) == (thorough.duplicates, thorough.restarts)
    assert log._told() == thorough._told()
