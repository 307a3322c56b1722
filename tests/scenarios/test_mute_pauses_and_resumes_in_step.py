"""While a track is muted nothing goes out; afterwards numbers go on, and timestamps have kept time."""

from itertools import pairwise

import pytest

from sfu import control
from sfu.control import TrackId
from tests.harness.invariants import check_all, flow
from tests.harness.lab import Lab
from tests.harness.rtp_source import AudioSource, StreamConfig, simulcast


async def test_a_muted_camera(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera")
    lab.run(2)
    lab.engine.execute(control.MuteTrack(TrackId("TR_camera"), muted=True))
    muted_at = lab.now
    lab.run(2)
    viewer = bob.viewer("TR_camera")
    assert viewer.in_order[-1].at <= muted_at
    lab.engine.execute(control.MuteTrack(TrackId("TR_camera"), muted=False))
    lab.run(2)

    assert viewer.in_order[-1].at > lab.now - 0.1
    check_all(alice, viewer)


async def test_a_muted_microphone_that_goes_on_sending(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    alice.publish("TR_voice", AudioSource(StreamConfig(0x77, 111, 48_000, mid="0")))
    alice.negotiate()
    bob.watch("TR_voice")
    lab.run(1)
    lab.engine.execute(control.MuteTrack(TrackId("TR_voice"), muted=True))
    lab.run(1.5)
    lab.engine.execute(control.MuteTrack(TrackId("TR_voice"), muted=False))
    lab.run(1)

    viewer = bob.viewer("TR_voice")
    assert viewer.holes == []
    packets = viewer.in_order
    assert len(packets) == pytest.approx(100, abs=3)
    for (before, sent), (after, sent_next) in pairwise(flow(alice, viewer)):
        step_s = ((after.timestamp - before.timestamp) & 0xFFFFFFFF) / 48_000
        assert step_s == pytest.approx(sent_next.sent_at - sent.sent_at, abs=0.021)


async def test_a_subscriber_that_looks_away(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera")
    lab.run(2)
    for _ in range(3):
        bob.peer.set_layers("TR_camera", spatial=2, enabled=False)
        lab.run(0.5)
        before = len(bob.viewer("TR_camera").packets)
        lab.run(0.5)
        assert len(bob.viewer("TR_camera").packets) == before
        bob.peer.set_layers("TR_camera", spatial=2)
        lab.run(1)

    check_all(alice, bob.viewer("TR_camera"))
