"""One received SSRC: extension, duplicates, jumps (fault 35), timestamps (36), bursts and reorder (37), SR
lies (56).
"""

from hypothesis import given
from hypothesis import strategies as st

from sfu.streams.receive import MAX_DROPOUT, WINDOW, ReceiveStream

CLOCK = 90_000
SSRC = 0xABCD


def fed(*sequences: int, clock_rate: int = CLOCK) -> tuple[ReceiveStream, list[int]]:
    stream = ReceiveStream(clock_rate)
    return stream, [
        stream.receive(seq & 0xFFFF, seq * 3000 & 0xFFFFFFFF, at / 30) for at, seq in enumerate(sequences)
    ]


def offsets(extended: list[int]) -> list[int]:
    return [number - extended[0] for number in extended]


def test_numbers_go_on_past_the_wrap():
    stream, extended = fed(65534, 65535, 0, 1)
    assert offsets(extended) == [0, 1, 2, 3]
    assert [number & 0xFFFF for number in extended] == [65534, 65535, 0, 1]
    assert stream.packets == 4
    assert stream.lost == 0


def test_a_duplicate_is_refused_and_not_counted():
    stream, extended = fed(10, 11, 11, 10, 12)
    assert extended[2:4] == [-1, -1]
    assert (stream.packets, stream.duplicates, stream.lost) == (3, 2, 0)


def test_reordering_across_the_wrap_finds_the_right_cycle():
    _, extended = fed(65535, 1, 0)
    assert offsets(extended) == [0, 2, 1]
    stream, extended = fed(0, 65535)
    assert offsets(extended) == [0, -1]
    assert extended[1] > 0
    assert stream.packets == 2


def test_a_loss_during_the_wrap_is_counted():
    stream, extended = fed(65530, 5)
    assert offsets(extended) == [0, 11]
    assert stream.lost == 10


def test_reordering_200_deep_is_taken():
    order = [300, *range(500, 300, -1), 501]
    stream, extended = fed(*order)
    assert sorted(number - extended[0] for number in extended) == list(range(202))
    assert stream.lost == 0


def test_what_lies_before_the_window_is_refused():
    stream, extended = fed(5000, 5000 - WINDOW)
    assert extended[1] == -1
    assert stream.rejected == 1
    _, extended = fed(5000, 5000 - WINDOW + 1)
    assert extended[1] == extended[0] - WINDOW + 1


def test_the_largest_dropout_is_loss_and_one_more_is_a_jump():
    stream, extended = fed(100, 100 + MAX_DROPOUT)
    assert offsets(extended) == [0, MAX_DROPOUT]
    assert stream.lost == MAX_DROPOUT - 1
    stream, extended = fed(100, 101 + MAX_DROPOUT)
    assert extended[1] == -1


def test_a_jump_is_believed_when_the_next_packet_confirms_it():
    for start in (32_768 + 100, 40_000, 100 - 2000, 3101):
        stream, extended = fed(100, start, start + 1, start + 2)
        assert extended[1] == -1
        assert extended[2] > extended[0]
        assert extended[3] == extended[2] + 1
        assert extended[2] & 0xFFFF == (start + 1) & 0xFFFF
        assert (stream.restarts, stream.lost) == (1, 0), "a jump is no loss"


def test_a_lone_stray_packet_changes_nothing():
    stream, extended = fed(100, 40_000, 101, 40_001, 102)
    assert [number for number in extended if number >= 0] == [extended[0], extended[0] + 1, extended[0] + 2]
    assert (stream.restarts, stream.rejected) == (0, 2)


def test_a_sender_that_restarts_at_zero_is_followed():
    stream, extended = fed(20_000, 20_001, 0, 1, 2)
    assert extended[3] > extended[1]
    assert extended[4] == extended[3] + 1
    assert stream.restarts == 1


def test_no_late_packet_of_before_a_restart_is_confused_with_a_new_one():
    _, extended = fed(100, 40_000, 40_001, 40_000)
    assert extended[3] == extended[2] - 1


@given(st.lists(st.integers(0, 0xFFFF), max_size=300))
def test_whatever_comes_no_number_is_given_twice_and_low_bits_are_kept(sequences: list[int]):
    stream = ReceiveStream(CLOCK)
    given_out = []
    for seq in sequences:
        extended = stream.receive(seq, 0, 0.0)
        if extended >= 0:
            assert extended & 0xFFFF == seq
            given_out.append(extended)
    assert len(set(given_out)) == len(given_out) == stream.packets
    fields = stream.report(SSRC, 1.0)
    assert 0 <= fields.fraction_lost <= 255
    assert stream.lost >= 0


def test_a_recovered_packet_is_forwarded_once_and_stays_lost():
    stream, extended = fed(10, 12)
    assert stream.recover(11) == extended[0] + 1
    assert stream.recover(11) == -1
    assert (stream.recovered, stream.lost) == (1, 1)


def test_a_packet_that_comes_after_its_retransmission_was_not_lost():
    stream, _ = fed(10, 12)
    stream.recover(11)
    assert stream.receive(11, 0, 1.0) == -1
    assert stream.lost == 0
    assert stream.receive(11, 0, 1.0) == -1
    assert (stream.packets, stream.duplicates) == (3, 2)


def test_many_recovered_packets_are_not_remembered_for_ever():
    stream = ReceiveStream(CLOCK)
    for n in range(0, 20_000, 2):
        stream.receive(n & 0xFFFF, 0, 0.0)
        stream.recover((n - 1) & 0xFFFF)
    assert stream.recovered == 10_000
    assert len(stream._repaired) <= WINDOW


def test_a_retransmission_of_the_future_or_of_nothing_is_refused():
    stream, _ = fed(10)
    assert stream.recover(11) == -1
    assert stream.recover((10 - WINDOW) & 0xFFFF) == -1
    assert ReceiveStream(CLOCK).recover(0) == -1


def test_the_report_covers_one_interval():
    stream, _ = fed(*range(100), *range(125, 200))
    fields = stream.report(SSRC, 10.0)
    assert fields.cumulative_lost == 25
    assert fields.fraction_lost == 25 * 256 // 200
    assert fields.highest_sequence == 199
    stream.receive(200, 0, 10.0)
    assert stream.report(SSRC, 11.0)[1:3] == (0, 25)


def test_the_report_counts_cycles_from_the_first_packet():
    stream, _ = fed(65535, 0)
    assert stream.report(SSRC, 0.0).highest_sequence == 0x10000


def test_packets_that_come_late_make_up_for_their_loss():
    stream, _ = fed(1, 3)
    assert stream.report(SSRC, 0.0).cumulative_lost == 1
    stream.receive(2, 6000, 0.1)
    assert stream.report(SSRC, 1.0)[1:3] == (0, 0)


def test_a_report_before_any_packet_is_empty():
    assert ReceiveStream(CLOCK).report(SSRC, 5.0) == (SSRC, 0, 0, 0, 0, 0, 0)


def test_jitter_is_zero_for_a_steady_stream_and_follows_a_wobble():
    steady, _ = fed(*range(100))
    assert steady.jitter < 1
    wobbly = ReceiveStream(CLOCK)
    for n in range(300):
        wobbly.receive(n, n * 3000, n / 30 + (0.01 if n % 2 else 0.0))
    assert 850 < wobbly.jitter < 950, "ten milliseconds each time are 900 ticks"


def test_jitter_ignores_clocks_that_jump():
    stream = ReceiveStream(CLOCK)
    for n, timestamp in enumerate([0, 3000, 3000 + (1 << 31), 6000, 0, 0, 0]):
        stream.receive(n, timestamp & 0xFFFFFFFF, n / 30)
    assert stream.jitter < CLOCK


def test_timestamps_extend_past_their_wrap():
    stream = ReceiveStream(CLOCK)
    stream.receive(1, 0xFFFFFFF0, 0.0)
    first = stream.timestamp
    stream.receive(2, 0x10, 0.1)
    assert stream.timestamp == first + 0x20
    assert stream.extend_timestamp(0xFFFFFFF0) == first
    assert stream.extend_timestamp(0x20) == first + 0x30


def test_a_sender_report_is_echoed_with_its_age():
    stream, _ = fed(1)
    assert stream.sender_report(0x1234_5678_9ABC_DEF0, 7, 10.0)
    fields = stream.report(SSRC, 10.5)
    assert (fields.last_report, fields.delay) == (0x5678_9ABC, 32768)


def test_sender_reports_without_a_clock_or_out_of_order_are_ignored():
    stream, _ = fed(1)
    assert not stream.sender_report(0, 7, 10.0)
    assert stream.sender_report(100 << 32, 9000, 10.0)
    assert not stream.sender_report(99 << 32, 8000, 11.0)
    assert stream.sender_clock is not None
    assert stream.sender_clock.rtp == 9000


def test_a_wall_clock_set_back_is_followed():
    stream, _ = fed(1)
    stream.sender_report(100 << 32, 9000, 10.0)
    assert stream.sender_report(50 << 32, 99_000, 11.0)


def test_the_delay_of_a_report_never_overflows_its_field():
    stream, _ = fed(1)
    stream.sender_report(1 << 32, 7, 10.0)
    assert stream.report(SSRC, 9.0).delay == 0
    assert stream.report(SSRC, 1e9).delay == 0xFFFFFFFF


class Bitmap:
    """What :class:`ReceiveStream` keeps as holes, kept as RFC 3550's algorithm and a set of all that came."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.highest = -1

    def receive(self, number: int) -> bool:
        """Whether a packet (no jump among them) is to be forwarded."""
        if number <= self.highest - WINDOW or number in self.seen:
            return False
        self.seen.add(number)
        self.highest = max(self.highest, number)
        return True


@given(st.lists(st.integers(-20, 40), max_size=200), st.integers(0, 65_535))
def test_order_loss_and_repetition_agree_with_a_plain_model(steps: list[int], first: int):
    stream, model = ReceiveStream(48_000), Bitmap()
    start = number = (1 << 16) + first
    taken = 0
    for step in [0, *steps]:
        number = max(start - 900, number + step)
        expected = model.receive(number)
        assert stream.receive(number & 0xFFFF, 0, 0.0) == (number if expected else -1)
        taken += expected
    assert stream.packets == taken
    assert stream.lost == max(0, model.highest - start + 1 - taken)
