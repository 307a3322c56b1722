"""What came, in the order in which it came, and the memory of what was told."""

import numpy as np

from sfu.compiled.feedback import GENERAL, RUN
from sfu.streams.arrivals import LIMIT, MAX_TOLD, Arrivals, Told, ToldSingly
from sfu.streams.feedback import WINDOW_US, Report


def taken(arrivals: Arrivals) -> list[tuple[int, int]]:
    return list(zip(*(column.tolist() for column in arrivals.take()), strict=True))


def told(*rows: int) -> Told:
    """Each row was told of the number that is ten times its own, and of the next."""
    numbers = np.array([10 * row + n for row in rows for n in (0, 1)], np.int64)
    spans = [(row, 2 * place, 2 * place + 2, RUN) for place, row in enumerate(rows)]
    return Told(np.array(spans, np.int64), np.stack([numbers, 100 * numbers], 1))


def test_what_waits_on_comes_before_what_comes_later() -> None:
    arrivals = Arrivals()
    for n in range(4):
        arrivals.record(n, 100 + n)
    keys, arrivals_us = arrivals.take()
    arrivals.put_back(keys[1:3], arrivals_us[1:3])
    arrivals.record(4, 104)
    assert taken(arrivals) == [(1, 101), (2, 102), (4, 104)]
    assert taken(arrivals) == []


def test_it_is_bounded() -> None:
    arrivals = Arrivals()
    for n in range(LIMIT + 10):
        arrivals.record(1, n)
    assert len(taken(arrivals)) == LIMIT
    for n in range(10 * MAX_TOLD):
        arrivals.tell(1.0, ToldSingly({1: Report([n], [n])}))
    assert len(list(arrivals.told_to(1))) <= 2 * MAX_TOLD


def test_what_each_was_told_is_found() -> None:
    arrivals = Arrivals()
    arrivals.tell(1.0, told(2, 7, 12))
    arrivals.tell(1.1, ToldSingly({7: Report([72], [7200])}))
    assert list(arrivals.told_to(7)) == [Report([70, 71], [7000, 7100]), Report([72], [7200])]
    assert list(arrivals.told_to(12)) == [Report([120, 121], [12_000, 12_100])]
    for row in (0, 5, 17):
        assert list(arrivals.told_to(row)) == []


def test_what_was_told_singly_is_not_found_twice() -> None:
    spans = np.array([(2, 0, 1, RUN), (7, 1, 2, GENERAL)], np.int64)
    arrivals = Arrivals()
    arrivals.tell(1.0, Told(spans, np.array([(20, 2000), (70, 7000)], np.int64)))
    assert list(arrivals.told_to(2)) == [Report([20], [2000])]
    assert list(arrivals.told_to(7)) == []


def test_it_is_found_for_as_long_as_that_matters() -> None:
    arrivals = Arrivals()
    arrivals.tell(1.0, told(2))
    arrivals.tell(1.0 + WINDOW_US / 1e6 + 0.01, told(7))
    assert list(arrivals.told_to(2)) == []


def test_nothing_is_left_of_a_row_that_is_forgotten() -> None:
    for row in (2, 7, 12):
        arrivals = Arrivals()
        arrivals.tell(1.0, told(2, 7, 12))
        arrivals.tell(1.1, ToldSingly({2: Report([22], [1]), 7: Report([72], [1]), 12: Report([122], [1])}))
        for other in (2, 7, 12):
            arrivals.record(other << 16 | 5, 100)
        arrivals.forget(row)
        assert list(arrivals.told_to(row)) == []
        others = [other for other in (2, 7, 12) if other != row]
        assert [len(list(arrivals.told_to(other))) for other in others] == [2, 2]
        assert [key >> 16 for key, _ in taken(arrivals)] == others
