"""Order and padding of a tick's packets."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sfu.compiled import packing
from sfu.compiled.outgoing import LENGTH, PACKET_COLUMNS, PADDED, STREAM, TIMESTAMP
from sfu.compiled.packing import MAX_PADDING, PADDING_SHARE, scratch_size


def arrange(
    streams: list[int], timestamps: list[int], lengths: list[int], *, pad: bool
) -> tuple[list[int], list[int]]:
    """The order to send packets in, as indices, and the size (by original index) each is padded to."""
    count = len(streams)
    packets = np.zeros((count, PACKET_COLUMNS), np.int64)
    packets[:, STREAM], packets[:, TIMESTAMP], packets[:, LENGTH] = streams, timestamps, lengths
    rows = np.zeros((count, 3), np.int32)
    scratch = np.zeros(scratch_size(count, count), np.int32)
    for _ in range(2):  # it leaves its scratch as it needs it
        packing.arrange(packets, count, pad, rows, scratch)
    return scratch[:count].tolist(), packets[:, PADDED].tolist()


def test_packets_of_a_frame_become_equally_long() -> None:
    order, padded = arrange([1] * 4, [90] * 4, [1100, 1100, 1101, 1119], pad=True)
    assert order == [0, 1, 2, 3]
    assert padded == [1119] * 4


def test_padding_stays_small() -> None:
    _, padded = arrange([1] * 4, [90] * 4, [1000, 1010, 1043, 400], pad=True)
    assert padded == [1010, 1010, 1043, 400]
    assert arrange([1] * 2, [90] * 2, [100, 104], pad=True)[1] == [100, 104]  # at most 3 of 104


def test_without_gso_nothing_is_padded() -> None:
    assert arrange([1] * 2, [90] * 2, [1100, 1101], pad=False)[1] == [1100, 1101]


def test_packets_of_different_frames_are_not_padded() -> None:
    """So audio isn't, whose packets each have a time of their own."""
    assert arrange([1] * 2, [960, 1920], [1000, 1001], pad=True) == ([0, 1], [1000, 1001])


def test_frames_that_come_mixed_are_kept_together_larger_ones_first() -> None:
    order, _ = arrange([1, 2, 1, 2, 1], [5, 6, 5, 6, 5], [800, 1100, 800, 1100, 790], pad=False)
    assert order == [1, 3, 0, 2, 4]


def test_second_frames_come_after_all_first_ones() -> None:
    order, _ = arrange([1, 1, 2, 2], [1, 2, 1, 2], [100, 900, 500, 50], pad=False)
    assert order == [2, 0, 1, 3]


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(30, 1400)), min_size=1, max_size=40),
    st.booleans(),
)
def test_streams_keep_their_order_and_padding_its_limits(
    packets: list[tuple[int, int, int]], pad: bool
) -> None:
    streams, timestamps, lengths = ([packet[n] for packet in packets] for n in range(3))
    order, padded = arrange(streams, timestamps, lengths, pad=pad)
    assert sorted(order) == list(range(len(packets)))
    for stream in set(streams):
        mine = [index for index in order if streams[index] == stream]
        assert mine == sorted(mine)
    for length, wanted in zip(lengths, padded, strict=True):
        assert 0 <= wanted - length <= min(MAX_PADDING, wanted // PADDING_SHARE)
        assert pad or wanted == length
    assert max(padded) == max(lengths)
    assert (order, padded) == _slowly(streams, timestamps, lengths, pad=pad)


def _slowly(
    streams: list[int], timestamps: list[int], lengths: list[int], *, pad: bool
) -> tuple[list[int], list[int]]:
    """The same by the words of the module."""
    frames: list[list[int]] = []
    turns: list[int] = []
    for index, stream in enumerate(streams):
        mine = [frame for frame in frames if streams[frame[0]] == stream]
        if mine and timestamps[mine[-1][0]] == timestamps[index]:
            mine[-1].append(index)
        else:
            frames.append([index])
            turns.append(len(mine))
    padded = list(lengths)
    for frame in frames if pad else []:
        for run in _runs([lengths[index] for index in frame]):
            for index in frame[run.start : run.stop]:
                padded[index] = max(lengths[frame[n]] for n in run)
    order = sorted(range(len(frames)), key=lambda n: (turns[n], -padded[frames[n][0]]))
    return [index for n in order for index in frames[n]], padded


def _runs(sizes: list[int]) -> list[range]:
    """Packets of a frame that are made equally long: all, or as many in a row as possible."""

    def cheap(run: range) -> bool:
        high = max(sizes[n] for n in run)
        return high - min(sizes[n] for n in run) <= min(MAX_PADDING, high // PADDING_SHARE)

    if cheap(range(len(sizes))):
        return [range(len(sizes))]
    runs = [range(1)]
    for n in range(1, len(sizes)):
        longer = range(runs[-1].start, n + 1)
        runs[-1:] = [longer] if cheap(longer) else [runs[-1], range(n, n + 1)]
    return runs


@given(st.lists(st.integers(600, 1400), min_size=2, max_size=12))
def test_padding_never_makes_more_runs(lengths: list[int]) -> None:
    _, padded = arrange([1] * len(lengths), [1] * len(lengths), lengths, pad=True)
    assert sum(a != b for a, b in pairwise(padded)) <= sum(a != b for a, b in pairwise(lengths))


def test_streams_of_one_bucket_are_told_apart() -> None:
    """As many streams as packets, and all begin to look in the same place."""
    streams = [n << 30 for n in range(packing.MOST_PACKETS)]
    order, _ = arrange(streams, [7] * len(streams), [100] * len(streams), pad=True)
    assert order == list(range(len(streams)))


def test_single_packets_of_many_streams_go_larger_ones_first() -> None:
    assert arrange([1, 2, 3, 4], [7, 7, 8, 7], [100, 900, 100, 890], pad=True) == (
        [1, 3, 0, 2],
        [100, 900, 100, 890],
    )
