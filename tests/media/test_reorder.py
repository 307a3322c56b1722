from random import Random

from media.reorder import MAX_PACKETS, Reorder


def pushed(order: Reorder[str], *packets: int, now: float = 0.0) -> list[int]:
    return [number for one in packets for number, _ in order.push(one & 0xFFFF, "", now)]


def test_what_is_in_order_passes_at_once_and_over_the_wrap() -> None:
    order: Reorder[str] = Reorder(0.1)
    assert pushed(order, 0xFFFE, 0xFFFF, 0, 1) == [0xFFFE, 0xFFFF, 0x10000, 0x10001]


def test_a_gap_is_waited_for() -> None:
    order: Reorder[str] = Reorder(0.1)
    assert pushed(order, 1, 3, 4) == [1]
    assert pushed(order, 2, now=0.05) == [2, 3, 4]


def test_a_gap_is_given_up() -> None:
    order: Reorder[str] = Reorder(0.1)
    assert pushed(order, 1, 3) == [1]
    assert pushed(order, 4, now=0.11) == [3, 4]
    assert pushed(order, 2, now=0.12) == []
    assert order.late == 1


def test_each_gap_has_its_own_wait() -> None:
    order: Reorder[str] = Reorder(0.1)
    pushed(order, 1, 3)
    pushed(order, 5, now=0.09)
    assert pushed(order, 6, now=0.11) == [3]
    assert pushed(order, 7, now=0.22) == [5, 6, 7]


def test_a_gap_behind_one_that_was_filled_has_its_own_wait() -> None:
    order: Reorder[str] = Reorder(0.1)
    assert pushed(order, 1, 3, 5) == [1]
    assert pushed(order, 2, now=0.09) == [2, 3]
    assert pushed(order, 6, now=0.11) == []
    assert pushed(order, 4, now=0.12) == [4, 5, 6]


def test_duplicates_are_dropped() -> None:
    order: Reorder[str] = Reorder(0.1)
    assert pushed(order, 1, 1, 3, 3, 2) == [1, 2, 3]


def test_a_jump_begins_anew_with_rising_numbers() -> None:
    order: Reorder[str] = Reorder(0.1)
    numbers = pushed(order, 1, 2, 4, 40_000, 40_001, 3)
    assert numbers[:3] == [1, 2, 4]
    assert [number & 0xFFFF for number in numbers[3:]] == [40_000, 40_001, 3]
    assert numbers == sorted(numbers)


def test_any_input_comes_out_in_order_and_bounded() -> None:
    random = Random(7)
    order: Reorder[str] = Reorder(0.05)
    last, now = -1, 0.0
    for _ in range(20_000):
        now += random.random() * 0.01
        sequence = random.randrange(65536) if random.random() < 0.02 else last + random.randrange(-4, 8)
        for number, _packet in order.push(sequence & 0xFFFF, "", now):
            assert number > last
            last = number
        assert len(order._held) <= MAX_PACKETS
