"""Numbers without holes, but for what the network lost."""

from hypothesis import given
from hypothesis import strategies as st

from sfu.forwarding.numbering import Numbering

SCRIPT = st.lists(st.sampled_from(["forward", "drop", "lost"]), min_size=1, max_size=100)


@given(SCRIPT)
def test_only_losses_leave_gaps(script: list[str]):
    numbering = Numbering()
    out = []
    expected = 1000
    for source, fate in enumerate(script, start=1000):
        if fate == "forward":
            numbers = numbering.forward(source)
            assert numbers is not None
            out.append(numbers[0])
            assert numbers[0] == expected
        elif fate == "drop":
            numbering.drop(source)
            expected -= 1
        expected += 1
    assert out == sorted(set(out))


@given(SCRIPT)
def test_a_late_packet_fills_exactly_the_gap_that_it_left(script: list[str]):
    numbering = Numbering()
    taken = set()
    for source, fate in enumerate(script, start=1000):
        if fate == "forward":
            numbers = numbering.forward(source)
            assert numbers is not None
            taken.add(numbers[0])
        elif fate == "drop":
            numbering.drop(source)
    newest = numbering.highest
    for source, fate in enumerate(script, start=1000):
        if fate == "lost" and source < newest:
            numbers = numbering.forward(source)
            assert numbers is not None
            assert numbers[0] not in taken
            taken.add(numbers[0])
        elif fate == "drop" and source < newest:
            assert numbering.forward(source) is None
    assert not taken or max(taken) - min(taken) < len(taken) + script.count("lost") + 1


def test_dropped_pictures_are_closed_up_once():
    numbering = Numbering()
    assert numbering.forward(1) == (1, 0)
    numbering.drop(2, new_picture=True)
    numbering.drop(3)
    assert numbering.forward(4) == (2, 1)


def test_a_late_packet_that_would_be_dropped_changes_nothing():
    numbering = Numbering()
    numbering.forward(10)
    numbering.drop(8)
    assert numbering.forward(11) == (11, 0)


def test_a_restart_of_the_source_is_no_gap_to_the_subscriber():
    numbering = Numbering()
    assert numbering.forward(100_000) == (100_000, 0)
    assert numbering.forward(150_000) == (100_001, 0)
    assert numbering.forward(150_001) == (100_002, 0)
    assert numbering.forward(100_001) is None
