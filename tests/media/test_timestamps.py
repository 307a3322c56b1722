from media.timestamps import Timestamps


def test_time_begins_at_zero_and_goes_on_over_the_wrap() -> None:
    times = Timestamps()
    assert [times.extend(value) for value in (0xFFFFFF00, 0xFFFFFFFF, 0x100)] == [0, 0xFF, 0x200]


def test_it_may_go_back() -> None:
    times = Timestamps()
    assert [times.extend(value) for value in (5, 0xFFFFFFFF, 5)] == [0, -6, 0]
