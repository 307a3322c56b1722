"""The collector's policy: who chooses it, and when it looks at everything. Settings are put back after each test."""

import gc
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from sfu import gc_policy
from sfu.gc_policy import MIN_DEPARTED, Pauses
from tests.harness.lab import Lab
from tests.harness.rtp_source import AudioSource, StreamConfig, VideoSource


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    made = Lab(seed=4)
    yield made
    made.close()


def test_nothing_is_collected_where_nobody_has_chosen() -> None:
    assert not gc_policy.settled()
    assert not gc_policy.tidy(10 * MIN_DEPARTED, 0)


def test_everything_is_looked_at_when_half_has_gone_or_nobody_is_left() -> None:
    gc_policy.settle()
    assert gc_policy.settled()
    assert gc.get_freeze_count() > 0
    assert not gc_policy.tidy(0, 0)
    for _ in range(3):
        gc.collect(1)
    assert not gc_policy.tidy(0, 1)
    assert gc_policy.tidy(0, 0), "the server is idle, and something was left for the old"
    assert gc_policy.tidy(1, 0)
    assert not gc_policy.tidy(MIN_DEPARTED - 1, 1)
    assert gc_policy.tidy(MIN_DEPARTED, 1)
    assert not gc_policy.tidy(MIN_DEPARTED, MIN_DEPARTED + 1)
    assert gc_policy.tidy(MIN_DEPARTED + 1, MIN_DEPARTED + 1)


def test_pauses_are_told() -> None:
    pauses = Pauses()
    pauses.begin()
    gc.collect(0)
    gc.collect()
    pauses.end()
    gc.collect()
    assert pauses.counts == [1, 0, 1]
    assert 0 < pauses.longest_s[2] <= pauses.total_s[2]
    assert str(pauses).startswith("gen 0: 1 x, ")


async def test_media_leaves_no_cycles(lab: Lab) -> None:
    """Loss, retransmissions and feedback included: else the young would need collecting by packets."""
    alice, bob = lab.join("alice"), lab.join("bob")
    config = StreamConfig(1, 96, mid="0", rtx_ssrc=2, rtx_payload_type=97)
    alice.publish("TR_camera", VideoSource(config))
    alice.publish("TR_voice", AudioSource(StreamConfig(3, 111, 48_000, mid="1")))
    alice.negotiate()
    bob.watch("TR_camera", "TR_voice")
    lab.run(0.5)
    gc.collect()
    gc.disable()
    try:
        lab.run(2.0)
        assert gc.collect() == 0
    finally:
        gc.enable()
    kept = [layer.renditions for layer in lab.engine.context.tracks["TR_camera"].layers]  # type: ignore[index]
    assert any(kept)
    track = lab.engine.context.tracks["TR_camera"]  # type: ignore[index]
    lab.leave(alice)
    assert [layer.renditions for layer in track.layers] == [[]]
