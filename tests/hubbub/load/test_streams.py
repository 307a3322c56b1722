"""Counting, against a plain model."""

from random import Random

import numpy as np
import pytest

from hubbub.load import streams
from hubbub.load.streams import StreamTable, Totals

Packet = tuple[int, int, int]


def feed(table: StreamTable, packets: list[Packet], size: int = 100) -> list[bool]:
    columns = np.array(packets, np.int64).T
    _, _, sample = table.add(*columns, np.full(len(packets), size, np.int64))
    return sample.tolist()


def totals(table: StreamTable) -> Totals:
    empty = StreamTable().snapshot()
    return table.snapshot().since(empty, table.base, np.ones(table.count, np.bool_))


def test_streams_are_told_apart_by_client_and_ssrc() -> None:
    table = StreamTable()
    feed(table, [(1, 5, 10), (2, 5, 10), (1, 6, 10), (1, 5, 11)])
    assert table.count == 3
    assert [table.packets[table.slots[key]] for key in ((1, 5), (2, 5), (1, 6))] == [2, 1, 1]
    assert table.slots_of == {1: [table.slots[1, 5], table.slots[1, 6]], 2: [table.slots[2, 5]]}


def test_gaps_are_loss_and_disorder_is_not() -> None:
    table = StreamTable()
    feed(table, [(1, 5, 65_534), (1, 5, 1), (1, 5, 65_535)])
    assert table.lost(0) == 1
    feed(table, [(1, 5, 0), (1, 5, 2)])
    assert table.lost(0) == 0
    assert totals(table) == Totals(5, 500, 0, 0)


def test_packets_from_before_the_first_count() -> None:
    table = StreamTable()
    feed(table, [(1, 5, 0), (1, 5, 65_533)])
    assert table.lost(0) == 2


def test_duplicates_of_one_stream_hide_no_loss_of_another() -> None:
    table = StreamTable()
    feed(table, [(1, 5, 1), (1, 5, 1), (1, 6, 1), (1, 6, 4)])
    assert totals(table) == Totals(4, 400, 2, 1)


def test_an_interval_has_its_own_loss() -> None:
    table = StreamTable()
    feed(table, [(1, 5, 1), (1, 5, 4)])
    start = table.snapshot()
    feed(table, [(1, 5, 5), (1, 5, 7), (2, 9, 100), (2, 9, 102)])
    everything = np.ones(table.count, np.bool_)
    assert table.snapshot().since(start, table.base, everything) == Totals(4, 400, 2, 0)
    only_first = np.array([True, False])
    assert table.snapshot().since(start, table.base, only_first) == Totals(2, 200, 1, 0)


def test_reports_cover_what_came_since_the_last() -> None:
    table = StreamTable()
    feed(table, [(1, 5, 1), (1, 5, 2), (1, 5, 4)])
    assert table.interval(0) == (4, 3)
    feed(table, [(1, 5, 6)])
    assert table.interval(0) == (2, 1)
    assert table.interval(0) == (0, 0)


def test_the_first_packets_and_every_hundredth_are_sampled() -> None:
    table = StreamTable()
    sample = []
    for sequence in range(1, 301):
        sample += feed(table, [(1, 5, sequence)])
    chosen = [n for n, taken in enumerate(sample, 1) if taken]
    assert chosen == [*range(1, 51), 100, 200, 300]


def test_streams_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_STREAMS", 2)
    table = StreamTable()
    sample = feed(table, [(1, n, 1) for n in range(5)])
    assert table.count == 2
    assert table.left_out == 3
    assert sample == [True, True, False, False, False]


def test_counts_agree_with_a_plain_model() -> None:
    random = Random(7)
    table = StreamTable()
    model: dict[tuple[int, int], list[int]] = {}
    position = {
        (owner, ssrc): random.randrange(65_536) for owner in range(5) for ssrc in range(2**32 - 3, 2**32)
    }
    for _ in range(200):
        batch = []
        for _ in range(random.randrange(1, 40)):
            key = random.choice(list(position))
            position[key] += random.choice((1, 1, 1, 2, 30))
            model.setdefault(key, []).append(position[key])
            batch.append((*key, position[key] & 0xFFFF))
        feed(table, batch)
    for key, sent in model.items():
        slot = table.slots[key]
        assert table.packets[slot] == len(sent)
        assert table.lost(slot) == max(sent) - min(sent) + 1 - len(sent)
