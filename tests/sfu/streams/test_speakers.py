"""Levels and who speaks (fault 43: levels that lie)."""

import pytest

from sfu.streams.speakers import LevelMeter, SpeakerBoard, SpeechSettings, quantise


def talk(meter: LevelMeter, level: int, start_ms: int, packets: int, step_ms: int = 20) -> int:
    for n in range(packets):
        meter.observe(level, step_ms, (start_ms + n * step_ms) / 1000)
    return start_ms + packets * step_ms


def test_steady_speech_rises_to_its_level_in_two_windows():
    meter = LevelMeter()
    end_ms = talk(meter, 20, 0, 20)
    assert meter.level(end_ms / 1000) == pytest.approx(0.1 * 2 / 3)
    end_ms = talk(meter, 20, end_ms, 60)
    assert meter.level(end_ms / 1000) == pytest.approx(0.1, rel=0.02)


def test_nothing_is_said_before_the_first_window_ends():
    meter = LevelMeter()
    talk(meter, 0, 0, 19)
    assert meter.level(0.38) == 0.0


def test_short_bursts_are_no_speech():
    meter = LevelMeter()
    end_ms = talk(meter, 10, 0, 7)
    end_ms = talk(meter, 100, end_ms, 13)
    assert meter.level(end_ms / 1000) == 0.0


def test_forty_percent_are_speech_but_quieter():
    meter = LevelMeter()
    end_ms = talk(meter, 20, 0, 8)
    end_ms = talk(meter, 100, end_ms, 12)
    assert meter.level(end_ms / 1000) == pytest.approx(0.1 * 0.4 * 2 / 3)


def test_one_silent_window_ends_it():
    meter = LevelMeter()
    end_ms = talk(meter, 20, 0, 60)
    end_ms = talk(meter, 127, end_ms, 20)
    assert meter.level(end_ms / 1000) == 0.0


def test_levels_below_the_threshold_do_not_count():
    meter = LevelMeter()
    end_ms = talk(meter, 36, 0, 40)
    assert meter.level(end_ms / 1000) == 0.0
    end_ms = talk(meter, 35, end_ms, 80)
    assert meter.level(end_ms / 1000) == pytest.approx(SpeechSettings().threshold, rel=0.02)


def test_without_packets_it_falls_silent():
    meter = LevelMeter()
    end_ms = talk(meter, 10, 0, 40)
    assert meter.level(end_ms / 1000 + 0.5) > 0
    assert meter.level(end_ms / 1000 + 0.8) == 0.0
    assert LevelMeter().level(0.0) == 0.0


def test_a_pause_in_the_timestamps_is_not_speech():
    meter = LevelMeter()
    meter.observe(0, 3_600_000, 0.0)
    assert meter.level(0.0) == 0.0
    meter.observe(0, -5, 0.0)
    assert meter.level(0.0) == 0.0


def test_an_endless_shout_is_at_most_one():
    meter = LevelMeter()
    end_ms = talk(meter, -3, 0, 2000, step_ms=120)
    assert meter.level(end_ms / 1000) <= 1.0


@pytest.mark.parametrize(
    ("level", "expected"), [(0.018, 0.125), (0.125, 0.125), (0.126, 0.25), (1.0, 1.0), (1.5, 1.0)]
)
def test_levels_are_rounded_up_to_eighths(level: float, expected: float):
    assert quantise(level) == expected


def test_only_changes_are_news():
    board = SpeakerBoard[str]()
    assert board.update([("ann", 0.1), ("bob", 0.001)], 0.0) == {"ann": 0.125}
    assert board.update([("ann", 0.11), ("bob", 0.2)], 0.4) == {"bob": 0.25}
    assert board.speaking == {"ann": 0.125, "bob": 0.25}
    assert board.update([("ann", 0.0), ("bob", 0.2)], 0.8) == {"ann": 0.0}
    assert board.update([], 1.2) == {"bob": 0.0}
    assert board.update([], 1.6) == {}


def test_the_board_is_due_every_400_ms():
    board = SpeakerBoard[str]()
    assert board.due(0.0)
    board.update([], 0.0)
    assert not board.due(0.39)
    assert board.due(0.4)
