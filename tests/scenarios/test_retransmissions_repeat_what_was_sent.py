"""A packet that is asked for again has the payload it had the first time (media-plane invariant 6)."""

import pytest

from hubbub.testing.netem import Conditions
from sfu.rtp import rtcp
from tests.harness.lab import Lab
from tests.harness.rtp_source import simulcast


@pytest.mark.parametrize("temporal", [3, 1])
async def test_byte_for_byte_across_switches(lab: Lab, temporal: int) -> None:
    alice = lab.join("alice", up=Conditions(latency_s=0.01, reorder=0.05, reorder_s=0.005))
    bob = lab.join("bob")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera", temporal=temporal)
    viewer = bob.viewer("TR_camera")
    viewer.asks = False
    for spatial in (2, 0, 1, 2):
        bob.peer.set_layers("TR_camera", spatial=spatial, temporal=temporal)
        lab.run(1)
        for got in viewer.in_order[-40::4]:
            nack = rtcp.build_nack(1, viewer.ssrc, [got.sequence & 0xFFFF])
            bob.up.send(bob.peer.srtp.protect_rtcp(nack), lab.now)
    lab.run(0.2)

    assert len(viewer.resent) > 20
    for again in viewer.resent:
        first = viewer.packets[again.sequence]
        assert again.payload == first.payload
        assert (again.timestamp, again.marker) == (first.timestamp, first.marker)


async def test_what_was_never_sent_is_not_answered(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera")
    lab.run(2)
    viewer = bob.viewer("TR_camera")
    newest = max(viewer.packets) & 0xFFFF
    oldest = min(viewer.packets) & 0xFFFF
    asked = [newest + 50, newest + 20_000, oldest - 1, oldest - 300]
    nack = rtcp.build_nack(1, viewer.ssrc, [number & 0xFFFF for number in asked])
    bob.up.send(bob.peer.srtp.protect_rtcp(nack), lab.now)
    lab.run(0.01)

    assert viewer.resent == []
