from media.pace import Pace


def test_frames_follow_each_other() -> None:
    pace = Pace(48_000, late_s=0.1)
    assert pace.place(960, 10.0) == (10.0, 0, True)
    due_at, ticks, paused = pace.place(960, 10.001)
    assert (round(due_at, 6), ticks, paused) == (10.02, 960, False)


def test_a_late_writer_catches_up() -> None:
    pace = Pace(48_000, late_s=0.1)
    pace.place(960, 10.0)
    due_at, ticks, paused = pace.place(960, 10.1)
    assert (round(due_at, 6), ticks, paused) == (10.02, 960, False)


def test_after_a_pause_the_clock_has_gone_on() -> None:
    pace = Pace(48_000, late_s=0.1)
    pace.place(960, 10.0)
    assert pace.place(960, 11.0) == (11.0, 48_000, True)
    assert pace.place(960, 11.0)[1:] == (48_960, False)
