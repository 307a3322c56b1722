"""Transport-wide feedback."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.rtp import twcc
from sfu.rtp.errors import RtpError
from sfu.rtp.rtcp import TransportFeedback, parse_compound
from sfu.rtp.sequence import extend
from sfu.rtp.twcc import (
    MAX_FEEDBACK_LENGTH,
    MAX_SIMPLE,
    MAX_STATUSES,
    build_feedback,
    build_report,
    parse_feedback,
)

STEPS = st.tuples(
    st.one_of(st.just(1), st.integers(1, 40), st.integers(1, 20_000)),
    st.one_of(st.integers(0, 3000), st.integers(-200_000, 200_000), st.integers(-20_000_000, 20_000_000)),
)


def walk_steps(first: int, at_us: int, steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    arrivals = [(first, at_us)]
    for ahead, later_us in steps:
        first, at_us = first + ahead, max(at_us + later_us, 0)
        arrivals.append((first, at_us))
    return arrivals


def read_all(packets: list[bytes], near_sequence: int, near_us: int) -> dict[int, int | None]:
    """Decode feedback as a sender with extended numbers would."""
    statuses: dict[int, int | None] = {}
    for packet in packets:
        for sequence, arrival_us in parse_feedback(packet, near_us):
            near_sequence = extend(near_sequence, sequence)
            assert near_sequence not in statuses
            statuses[near_sequence] = arrival_us
            near_us = arrival_us or near_us
    return statuses


@given(st.integers(0, 2**40), st.integers(0, 2**50), st.lists(STEPS, max_size=300), st.randoms())
def test_what_is_built_decodes_to_the_same_arrivals(first, at_us, steps, random) -> None:
    arrivals = walk_steps(first, at_us, steps)
    shuffled = random.sample(arrivals, len(arrivals))
    packets = build_feedback(1, 2, shuffled, 250)
    statuses = read_all(packets, first, at_us)
    came = {sequence: at for sequence, at in statuses.items() if at is not None}
    assert came.keys() == {sequence for sequence, _ in arrivals}
    assert all(abs(came[sequence] - arrival_us) <= 125 for sequence, arrival_us in arrivals)
    assert all(len(packet) <= MAX_FEEDBACK_LENGTH and len(packet) % 4 == 0 for packet in packets)
    assert [packet[19] for packet in packets] == [(250 + i) % 256 for i in range(len(packets))]


@given(st.lists(st.integers(0, 2000), min_size=1, unique=True), st.integers(0, 3000))
def test_every_number_from_the_base_to_the_last_arrival_is_told(numbers, base) -> None:
    packets = build_feedback(1, 2, [(number, 1000 * number) for number in numbers], 0, base)
    statuses = read_all(packets, min(numbers), 0)
    assert sorted(statuses) == list(range(min(base, *numbers), max(numbers) + 1))
    assert {number for number, at in statuses.items() if at is not None} == set(numbers)


@given(
    st.integers(0, 2**40),
    st.integers(0, 2**50),
    st.lists(
        st.tuples(
            st.one_of(st.just(1), st.just(1), st.integers(1, 50), st.integers(1, 10_000)),
            st.one_of(
                st.integers(0, 3000),
                st.integers(0, 64_000),
                st.integers(-1000, 70_000),
                st.integers(-9_000_000, 9_000_000),
            ),
        ),
        max_size=MAX_SIMPLE - 1,
    ),
)
def test_the_usual_case_is_written_as_the_general_way_would(first, at_us, steps) -> None:
    arrivals = walk_steps(first, at_us, steps)
    sequences, arrivals_us = zip(*arrivals, strict=True)
    assert build_report(1, 2, sequences, arrivals_us, 250) == build_feedback(1, 2, arrivals, 250)
    whole = range(first, first + len(arrivals))
    assert build_report(1, 2, whole, arrivals_us, 250) == build_feedback(
        1, 2, zip(whole, arrivals_us, strict=True), 250
    )


@given(st.lists(st.sampled_from([0, 1]), min_size=1, max_size=60))
def test_statuses_of_one_bit_are_vectors_from_the_top(statuses) -> None:
    chunks = twcc._chunks(bytearray(statuses))
    read, at = twcc._read_chunks(bytes(20) + chunks, 20 + len(chunks), len(statuses))
    assert list(read) == statuses
    assert at == 20 + len(chunks)
    rest = -len(statuses) % 14
    if chunks[-2] & 0x80 and len(statuses) % 14:
        assert int.from_bytes(chunks[-2:], "big") & (1 << rest) - 1 == 0


def test_it_is_rtcp() -> None:
    (packet,) = build_feedback(0x11, 0x22, [(5, 1000), (6, 2000), (7, 3000)], 9)
    assert parse_compound(packet) == [TransportFeedback(0x11, 0x22, packet)]


def test_bytes_written_by_hand() -> None:
    # Base 10, 5 statuses, reference 2 x 64 ms, one-bit vector 1 0 0 1 1, deltas 4, 8, 0 ticks.
    (packet,) = build_feedback(1, 2, [(10, 129_000), (13, 131_000), (14, 131_000)], 7)
    assert packet == bytes.fromhex("afcd0006 00000001 00000002 000a 0005 000002 07 a600 040800 000003")
    assert parse_feedback(packet) == [(10, 129_000), (11, None), (12, None), (13, 131_000), (14, 131_000)]


def test_long_runs_take_one_chunk() -> None:
    (packet,) = build_feedback(1, 2, [(n, 0) for n in range(100)], 0)
    assert packet[20:22] == (1 << 13 | 100).to_bytes(2, "big")
    (packet,) = build_feedback(1, 2, [(0, 0), (5000, 0)], 0)
    assert len(packet) == 28


def test_no_arrivals_make_no_feedback() -> None:
    assert build_report(1, 2, (), (), 0) == []
    assert build_feedback(1, 2, [], 0, 17) == []


def test_the_first_of_duplicates_counts() -> None:
    (packet,) = build_feedback(1, 2, [(3, 250), (3, 9000)], 0)
    assert parse_feedback(packet) == [(3, 250)]


def test_a_step_beyond_8_seconds_starts_a_packet() -> None:
    packets = build_feedback(1, 2, [(1, 0), (2, 8_191_750), (3, 16_383_750), (4, 0)], 0)
    assert [len(parse_feedback(packet)) for packet in packets] == [2, 1, 1]


def test_a_gap_too_long_is_left_out() -> None:
    packets = build_feedback(1, 2, [(0, 0), (MAX_STATUSES, 0), (3 * MAX_STATUSES, 0)], 0)
    assert [len(parse_feedback(packet)) for packet in packets] == [1, MAX_STATUSES, 1]


def test_reference_time_wraps_near_what_is_known() -> None:
    wrap_us = (1 << 24) * 64_000
    (packet,) = build_feedback(1, 2, [(1, wrap_us + 250)], 0)
    assert parse_feedback(packet) == [(1, 250)]
    assert parse_feedback(packet, wrap_us - 100_000) == [(1, wrap_us + 250)]
    (packet,) = build_feedback(1, 2, [(1, wrap_us - 250)], 0)
    assert parse_feedback(packet, wrap_us + 100_000) == [(1, wrap_us - 250)]


def test_ssrc_must_fit() -> None:
    with pytest.raises(RtpError):
        build_feedback(1 << 32, 2, [(1, 1)], 0)


@given(st.binary(max_size=40), st.integers(0, 0xFFFF))
def test_any_body_is_read_or_refused(body: bytes, count: int) -> None:
    body += bytes(-len(body) % 4)
    head = (
        b"\x8f\xcd"
        + (len(body) // 4 + 4).to_bytes(2, "big")
        + bytes(10)
        + count.to_bytes(2, "big")
        + bytes(4)
    )
    try:
        statuses = parse_feedback(head + body)
    except RtpError:
        return
    assert len(statuses) == count


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8fcd0004 00000001 00000002 000a0001 000002",
        "81cd0005 00000001 00000002 000a0001 00000207 2001 0400",  # a NACK
        "8fce0005 00000001 00000002 000a0001 00000207 2001 0400",  # payload feedback
        "8fcd0006 00000001 00000002 000a0001 00000207 2001 0400",  # longer than it is
        "8fcd0004 00000001 00000002 000a0001 00000207 2001 0400",
        "afcd0005 00000001 00000002 000a0001 00000207 2001 0400",  # padding of no length
        "afcd0005 00000001 00000002 000a0001 00000207 2001 0405",  # padding over all that follows the header
        "afcd0005 00000001 00000002 000a0001 00000207 2001 0402",  # padding over the delta
    ],
)
def test_other_packets_and_wrong_lengths_are_refused(text: str) -> None:
    with pytest.raises(RtpError):
        parse_feedback(bytes.fromhex(text))


def test_every_prefix_is_refused() -> None:
    (packet,) = build_feedback(1, 2, [(n, 900 * n) for n in range(0, 50, 3)], 0)
    for length in range(len(packet)):
        with pytest.raises(RtpError):
            parse_feedback(packet[:length])
