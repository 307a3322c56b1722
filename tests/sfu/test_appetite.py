"""How many datagrams are taken at once."""

from sfu.appetite import COPIES, LEAST, Appetite


def after(appetite: Appetite, each: int, batches: int = 20) -> list[int]:
    """Full batches whose datagrams come to so many copies each; returns how many copies each batch came to."""
    copies = []
    for _ in range(batches):
        copies.append(each * appetite.datagrams)
        appetite.had(appetite.datagrams, copies[-1])
    return copies


def test_where_copies_are_few_batches_are_as_large_as_they_can_be():
    appetite = Appetite(256)
    after(appetite, 1)
    assert appetite.datagrams == 256


def test_a_meetings_batches_come_to_as_much_as_others_can_wait_for():
    for each in (5, 8, 24, 60):
        copies = after(Appetite(256), each)
        assert copies[0] > COPIES
        assert all(COPIES / 2 < count <= COPIES for count in copies[1:])


def test_it_comes_back_when_the_meeting_is_over():
    appetite = Appetite(256)
    after(appetite, 60)
    after(appetite, 1)
    assert appetite.datagrams == 256


def test_what_was_no_full_batch_says_nothing():
    appetite = Appetite(256)
    after(appetite, 60)
    before = appetite.datagrams
    appetite.had(before - 1, 10)
    assert appetite.datagrams == before


def test_it_takes_something_however_many_copies_that_means():
    appetite = Appetite(256)
    after(appetite, 10_000)
    assert appetite.datagrams == LEAST
    appetite = Appetite(8)
    after(appetite, 10_000)
    assert appetite.datagrams == 8
