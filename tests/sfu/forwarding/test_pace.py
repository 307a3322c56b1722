"""How many copies are sent at once: as many as others can wait for."""

from math import inf

from sfu.forwarding.pace import ALONE_S, LEAST, MOST, SHARED_FOR_S, SHARED_S, Pace


def steady(each_s: float) -> Pace:
    pace = Pace()
    for _ in range(100):
        pace.took(200, 200 * each_s)
    return pace


def test_alone_as_many_as_the_event_loop_can_wait_for():
    assert LEAST < Pace().piece(inf) < MOST
    assert steady(1e-6).piece(inf) == MOST
    assert abs(steady(6e-6).piece(inf) - ALONE_S / 6e-6) <= 1


def test_beside_others_fewer():
    pace = steady(2.5e-6)
    assert abs(pace.piece(0.0) - SHARED_S / 2.5e-6) <= 1
    assert abs(pace.piece(SHARED_FOR_S + 0.1) - ALONE_S / 2.5e-6) <= 1


def test_never_so_few_that_pieces_cost_more_than_copies():
    assert steady(1e-3).piece(0.0) == LEAST


def test_one_long_pause_is_not_taken_for_the_rule():
    pace = steady(2.5e-6)
    before = pace.piece(inf)
    pace.took(400, 0.005)
    assert pace.piece(inf) > before / 2
    pace.took(0, 1.0)
    assert pace.piece(inf) > before / 2
