"""Key-frame requests: nobody waits for ever, nobody makes a storm (fault 59; invariant 8)."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sfu.streams.keyframes import MIN_INTERVAL_S, PERIOD_S, REQUESTS, KeyframeRequests, RequestLimiter


def sent_at(requests: KeyframeRequests, start: float, end: float, tick_s: float = 0.01) -> list[float]:
    ticks = range(round(start / tick_s), round(end / tick_s))
    return [tick * tick_s for tick in ticks if requests.due(tick * tick_s)]


def test_the_first_request_is_sent_at_once():
    requests = KeyframeRequests()
    assert not requests.due(0.0)
    requests.request(0.0)
    assert requests.due(0.0)
    assert not requests.due(0.0)


def test_a_request_soon_after_a_key_frame_is_deferred_not_lost():
    requests = KeyframeRequests()
    requests.request(0.0)
    assert requests.due(0.0)
    requests.keyframe(0.1)
    requests.request(0.15)
    assert sent_at(requests, 0.15, 0.45) == [0.3]


def test_asking_while_a_request_is_out_changes_nothing():
    requests = KeyframeRequests()
    requests.request(0.0)
    assert requests.due(0.0)
    for tick in range(1, 49):
        requests.request(tick / 100)
        assert not requests.due(tick / 100)


def test_without_an_answer_it_asks_again_ever_more_slowly():
    requests = KeyframeRequests()
    requests.request(0.0)
    assert [round(at, 2) for at in sent_at(requests, 0.0, 16.0)] == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5]


def test_a_key_frame_resets_the_back_off():
    requests = KeyframeRequests()
    requests.request(0.0)
    sent_at(requests, 0.0, 8.0)
    assert requests.keyframe(8.0) == 8.0
    requests.request(9.0)
    assert [round(at, 2) for at in sent_at(requests, 9.0, 10.0)] == [9.0, 9.5]


def test_it_stops_when_nobody_waits():
    requests = KeyframeRequests()
    requests.request(0.0)
    assert requests.due(0.0)
    requests.cancel()
    assert not requests.waiting
    assert sent_at(requests, 0.0, 10.0) == []


def test_the_round_trip_stretches_interval_and_retry_within_bounds():
    requests = KeyframeRequests()
    requests.rtt_s = 0.25
    assert requests.interval_s == 0.5
    requests.request(0.0)
    assert [round(at, 2) for at in sent_at(requests, 0.0, 1.0)] == [0.0, 0.75]
    requests.rtt_s = 65_535.0
    assert requests.interval_s == 1.0
    requests.rtt_s = 0.0
    assert requests.interval_s == MIN_INTERVAL_S


events = st.lists(st.tuples(st.sampled_from(["request", "keyframe", "due", "cancel"]), st.floats(0, 0.5)))


@given(events, st.floats(0, 2))
def test_the_publisher_is_never_asked_more_often_than_the_interval(
    script: list[tuple[str, float]], rtt_s: float
):
    requests = KeyframeRequests()
    requests.rtt_s = rtt_s
    now, sent = 0.0, []
    for event, step_s in script:
        now += step_s
        if event == "request":
            requests.request(now)
        elif event == "keyframe":
            requests.keyframe(now)
        elif event == "cancel":
            requests.cancel()
        if requests.due(now):
            sent.append(now)
    for earlier, later in pairwise(sent):
        assert later - earlier >= requests.interval_s


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0, 0.3))
def test_whoever_asks_last_is_served(steps: list[float], rtt_s: float):
    """The publisher answers each PLI at once: then nobody waits longer than the interval."""
    requests = KeyframeRequests()
    requests.rtt_s = rtt_s
    now = 0.0
    for step_s in steps:
        now += step_s
        requests.request(now)
        if requests.due(now):
            requests.keyframe(now)
    now += requests.interval_s + 0.001
    if requests.waiting:
        assert requests.due(now)
        requests.keyframe(now)
    assert not requests.waiting


def test_a_subscriber_gets_three_requests_in_ten_seconds():
    limiter = RequestLimiter()
    assert [limiter.allow(at) for at in (0.0, 0.1, 0.2, 0.4, 0.6, 9.9)] == [
        True,
        False,
        True,
        True,
        False,
        False,
    ]
    assert limiter.allow(10.0)
    assert not limiter.allow(10.1)
    assert limiter.allow(10.3)
    assert limiter.refused == 4


@given(st.lists(st.floats(0, 3), max_size=100))
def test_no_ten_seconds_hold_more_than_three_granted(steps: list[float]):
    limiter, now, granted = RequestLimiter(), 0.0, []
    for step_s in steps:
        now += step_s
        if limiter.allow(now):
            granted.append(now)
    for nth, at in enumerate(granted[REQUESTS:]):
        assert at - granted[nth] >= PERIOD_S


def test_the_first_who_waits_rings_the_bell():
    requests = KeyframeRequests()
    requests.request(0.0)
    assert requests.attention.raised
    requests.attention.lower()
    requests.request(0.1)
    assert not requests.attention.raised
    requests.keyframe(0.2)
    requests.request(0.3)
    assert requests.attention.raised


def test_it_says_when_it_will_be_due():
    requests = KeyframeRequests()
    assert requests.due_at == float("inf")
    requests.request(5.0)
    for _ in range(6):
        at = max(5.0, requests.due_at)
        assert at == 5.0 or not requests.due(at - 0.001)
        assert requests.due(at + 1e-6)
        assert requests.due_at > at
    requests.keyframe(20.0)
    assert requests.due_at == float("inf")
