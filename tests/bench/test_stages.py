"""A sample's stack names one stage, whatever calls what."""

import pytest

from tests.bench.sampler import Frame, Sampler
from tests.bench.stages import STAGES, shares, stage_of

ROOT = (
    Frame("sfu/engine.py", "_read", 150),
    Frame("/lib/asyncio/runners.py", "run", 118),
    Frame("tests/bench/engine_process.py", "serve", 170),
)


def _stage(*places: tuple[str, str], line: str = "") -> str:
    stack = tuple(Frame(file, function, 1) for file, function in places) + ROOT
    return stage_of(stack, lambda file, number: line if file == places[0][0] else "")


@pytest.mark.parametrize(
    ("stage", "line", "places"),
    [
        ("kernel receive", "", [("sfu/net/mmsg.py", "receive"), ("sfu/tick.py", "drain")]),
        ("unprotect", "if unprotect(pair.rx_ptr, pointer, size):", [("sfu/tick.py", "_media")]),
        ("ingress", "", [("sfu/tick.py", "_media")]),
        ("ingress", "", [("sfu/rtp/header.py", "parse"), ("sfu/forwarding/ingress.py", "receive")]),
        ("forward", "", [("sfu/forwarding/forwarder.py", "forward"), ("sfu/tick.py", "media")]),
        ("expand", "", [("numpy/fromnumeric.py", "take"), ("sfu/forwarding/matrix.py", "_write")]),
        (
            "protect",
            "arena.unusual += protect(rows, count, memory, peers, PROTECT)",
            [("sfu/net/egress.py", "send")],
        ),
        ("RTCP out", "left = count - protect(rows, count,", [("sfu/net/outbox.py", "flush")]),
        ("send", "", [("sfu/net/mmsg.py", "_flush"), ("sfu/net/egress.py", "_over_udp")]),
        ("RTCP in", "", [("sfu/rtp/rtcp/parse.py", "parse_compound"), ("sfu/peer/feedback.py", "receive")]),
        ("RTCP out", "", [("sfu/net/udp.py", "send_raw"), ("sfu/mux.py", "send")]),
        ("RTCP out", "", [("sfu/peer/feedback.py", "ask"), ("sfu/housekeeping.py", "run")]),
        ("ICE and DTLS", "", [("sfu/net/stun.py", "parse"), ("sfu/mux.py", "_check")]),
        ("timers", "", [("sfu/housekeeping.py", "run")]),
        ("garbage collection", "", [("tests/bench/sampler.py", "_note"), ("sfu/tick.py", "_media")]),
    ],
)
def test_a_stack_has_a_stage(stage: str, line: str, places: list[tuple[str, str]]) -> None:
    assert _stage(*places, line=line) == stage
    assert stage in STAGES


def test_what_no_stage_claims_is_the_event_loop() -> None:
    assert stage_of(ROOT[1:]) == "event loop"


def test_shares_add_up() -> None:
    found = shares({ROOT[1:]: 1, (Frame("sfu/housekeeping.py", "run", 1), *ROOT): 3})
    assert found == {"timers": 0.75, "event loop": 0.25}


def test_no_samples_have_no_stages() -> None:
    assert shares({}) == {}


def test_the_sampler_sees_who_is_busy() -> None:
    sampler = Sampler()
    sampler.start()
    sum(n * n for n in range(2_000_000))
    samples = sampler.stop()
    seen = {frame.function for stack in samples for frame in stack}
    assert "test_the_sampler_sees_who_is_busy" in seen
    assert sum(samples.values()) > 0
    assert sampler.stop() == {}
