"""A client may start an encoder anew under another SSRC; subscribers see one stream."""

import pytest

from hubbub.testing.netem import Conditions
from tests.harness.invariants import check_no_holes, check_pictures, check_switches, check_timestamps, flow
from tests.harness.lab import Lab
from tests.harness.rtp_source import simulcast


@pytest.mark.parametrize("first_sequence", [3, 65_000], ids=["lower numbers", "higher numbers"])
async def test_without_a_seam(lab: Lab, first_sequence: int) -> None:
    alice = lab.join("alice", up=Conditions(latency_s=0.02, reorder=0.05, reorder_s=0.01))
    bob = lab.join("bob")
    source = simulcast(rids=("q", "h"))
    alice.publish("TR_camera", source)
    alice.negotiate()
    bob.watch("TR_camera", spatial=1)
    viewer = bob.viewer("TR_camera")
    viewer.asks = False
    lab.run(3)
    layer = source.layers[1]
    layer.stream.config.ssrc, layer.stream.config.rtx_ssrc = 0x7777, 0x7778
    layer.stream.config.first_timestamp = 123_456_789
    layer.stream.sequence, layer.stream.packets = first_sequence, 0
    layer.keyframe()
    lab.run(3)
    alice.up.change(Conditions(latency_s=0.02), lab.now)
    lab.run(0.2)

    found = flow(alice, viewer)
    assert found[-1][1].ssrc == 0x7777
    assert viewer.in_order[-1].at > lab.now - 0.1
    check_no_holes(viewer)
    check_pictures(viewer)
    check_timestamps(found)
    check_switches(found)
