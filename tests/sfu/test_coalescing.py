"""When it pays to be late."""

from sfu.coalescing import BUSY, OFTEN_PER_S, WINDOW_S, Coalescing


def after(per_s: float, each: int, busy: float = BUSY / 2) -> Coalescing:
    """Batches of so many datagrams, so many datagrams a second, whose handling takes such a share of the time."""
    coalescing = Coalescing()
    more(coalescing, 1000.0, per_s, each, busy)
    return coalescing


def more(coalescing: Coalescing, at: float, per_s: float, each: int, busy: float = BUSY / 2) -> None:
    for number in range(int(3 * WINDOW_S * per_s / each)):
        coalescing.took(each, busy * each / per_s, at + number * each / per_s)


def test_it_pays_where_many_come_in_small_batches() -> None:
    assert after(2 * OFTEN_PER_S, 3).pays


def test_it_does_not_where_few_come() -> None:
    assert not Coalescing().pays
    assert not after(OFTEN_PER_S / 2, 3).pays
    assert not after(350, 1).pays


def test_it_does_not_where_there_is_so_much_to_do_that_batches_are_large_anyway() -> None:
    coalescing = after(2 * OFTEN_PER_S, 3, 1.5 * BUSY)
    assert not coalescing.pays
    more(coalescing, 1001.0, 2 * OFTEN_PER_S, 3)
    assert coalescing.pays


def test_one_burst_is_not_often() -> None:
    coalescing = after(100, 1)
    for _ in range(100):
        coalescing.took(2, 0.0, 1010.0)
    assert not coalescing.pays


def test_it_is_over_when_less_comes() -> None:
    coalescing = after(2 * OFTEN_PER_S, 3)
    more(coalescing, 1001.0, OFTEN_PER_S / 2, 3)
    assert not coalescing.pays
