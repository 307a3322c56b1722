"""Connection quality on LiveKit's scale."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.streams.quality import (
    EXCELLENT,
    GOOD,
    LOST,
    OPUS_LOSS_WEIGHT,
    POOR,
    VIDEO_LOSS_WEIGHT,
    QualityScorer,
    StreamWindow,
    mos_of,
    quality_of,
)


def settled(window: StreamWindow, weight: float = VIDEO_LOSS_WEIGHT) -> float:
    scorer = QualityScorer(weight)
    for _ in range(20):
        scorer.update(window)
    return scorer.score


def test_a_clean_stream_is_perfect():
    assert settled(StreamWindow(packets=1000)) == 100
    assert QualityScorer(8).score == 100, "no data is no complaint"


@pytest.mark.parametrize(
    ("lost", "quality"), [(0, EXCELLENT), (10, EXCELLENT), (30, GOOD), (65, POOR), (500, POOR)]
)
def test_loss_of_video(lost: int, quality: int):
    assert quality_of(settled(StreamWindow(packets=1000, lost=lost))) == quality


def test_only_loss_on_this_hop_counts():
    window = StreamWindow(packets=1000, lost=100, missing_upstream=60, out_of_order=40)
    assert settled(window) == 100


def test_delay_takes_points_slowly_then_faster():
    assert settled(StreamWindow(packets=100, rtt_s=0.16)) == pytest.approx(98)
    assert settled(StreamWindow(packets=100, rtt_s=0.1, jitter_s=0.1)) == pytest.approx(87)


def test_a_rate_falling_short():
    def score(shortfall: float) -> int:
        return quality_of(settled(StreamWindow(packets=100, bits=1e6 / shortfall, expected_bits=1e6)))

    assert [score(ratio) for ratio in (0.5, 2.5, 3.0, 19.0, 25.0)] == [EXCELLENT, EXCELLENT, GOOD, GOOD, POOR]
    assert settled(StreamWindow(packets=100, bits=0, expected_bits=1e6)) == 30


def test_layers_below_the_wanted_one():
    assert settled(StreamWindow(packets=100, layer_distance=1)) == pytest.approx(65)
    assert settled(StreamWindow(packets=100, layer_distance=9)) == 30


def test_it_falls_faster_than_it_recovers():
    scorer = QualityScorer(VIDEO_LOSS_WEIGHT)
    assert scorer.update(StreamWindow(packets=1000, lost=50)) == pytest.approx(60)
    assert scorer.update(StreamWindow(packets=1000)) == pytest.approx(76)


def test_mute_pause_and_silence():
    scorer = QualityScorer(VIDEO_LOSS_WEIGHT)
    assert quality_of(scorer.update(StreamWindow(packets=100, paused=True))) == POOR
    assert quality_of(scorer.update(StreamWindow(packets=0, muted=True))) == EXCELLENT
    assert quality_of(scorer.update(StreamWindow(packets=0))) == POOR
    assert quality_of(scorer.update(StreamWindow(packets=0, rtcp_silent=True))) == LOST


def test_a_loss_in_dtx_weighs_less():
    speech = QualityScorer(OPUS_LOSS_WEIGHT)
    for _ in range(5):
        speech.update(StreamWindow(packets=250))
    quiet = speech.update(StreamWindow(packets=12, lost=1))
    steady = QualityScorer(OPUS_LOSS_WEIGHT)
    assert quiet > steady.update(StreamWindow(packets=12, lost=1)) + 20


def test_the_usual_rate_is_the_commonest_one():
    scorer = QualityScorer(OPUS_LOSS_WEIGHT)
    for packets in (250, 250, 250, 1500, 12, 12):
        scorer.update(StreamWindow(packets=packets))
    at_usual = scorer.update(StreamWindow(packets=250, lost=25))
    for _ in range(10):
        scorer.update(StreamWindow(packets=250))
    assert at_usual < 50, "no discount at the usual rate"


@pytest.mark.parametrize(
    ("score", "quality"),
    [(100, EXCELLENT), (80.1, EXCELLENT), (80, GOOD), (40, POOR), (30, POOR), (20, LOST), (0, LOST)],
)
def test_thresholds(score: float, quality: int):
    assert quality_of(score) == quality


def test_mos_runs_from_one_to_four_and_a_half():
    assert mos_of(0) == 1
    assert mos_of(100) == pytest.approx(4.5)
    assert mos_of(80) == pytest.approx(4.024)
    assert all(1 <= mos_of(score) <= 4.5 for score in range(-10, 120))


@given(
    st.lists(
        st.builds(
            StreamWindow,
            packets=st.integers(-5, 10_000),
            lost=st.integers(-10_000, 20_000),
            rtt_s=st.floats(0, 100),
            jitter_s=st.floats(0, 100),
            bits=st.floats(0, 1e9),
            expected_bits=st.floats(0, 1e9),
            layer_distance=st.floats(0, 5),
        ),
        max_size=30,
    )
)
def test_whatever_is_measured_the_score_stays_on_the_scale(windows: list[StreamWindow]):
    scorer = QualityScorer(VIDEO_LOSS_WEIGHT)
    for window in windows:
        assert 20 <= scorer.update(window, 0.0) <= 100
