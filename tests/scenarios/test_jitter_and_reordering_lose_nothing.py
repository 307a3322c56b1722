"""Packets that overtake each other, or come twice, reach the subscriber once and under the right numbers."""

import pytest

from hubbub.testing.netem import Conditions
from tests.harness.invariants import check_all
from tests.harness.lab import Lab
from tests.harness.rtp_source import simulcast

NETWORKS = {
    "jitter": Conditions(latency_s=0.02, jitter_s=0.03),
    "jitter that reorders": Conditions(latency_s=0.02, jitter_s=0.008, jitter_reorders=True),
    "reordering": Conditions(latency_s=0.02, reorder=0.1, reorder_s=0.015),
    "duplicates": Conditions(latency_s=0.02, duplicate=0.1),
}


@pytest.mark.parametrize("network", NETWORKS)
async def test_on_the_way_up(lab: Lab, network: str) -> None:
    alice = lab.join("alice", up=NETWORKS[network])
    bob = lab.join("bob")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera")
    bob.viewer("TR_camera").asks = False
    lab.run(4)
    alice.up.change(Conditions(latency_s=0.02), lab.now)
    lab.run(0.5)

    check_all(alice, bob.viewer("TR_camera"))


async def test_damaged_packets_are_refused_and_replaced(lab: Lab) -> None:
    alice = lab.join("alice", up=Conditions(latency_s=0.02, corrupt=0.05))
    bob = lab.join("bob")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera")
    lab.run(3)
    alice.up.change(Conditions(latency_s=0.02), lab.now)
    lab.run(0.5)

    assert lab.engine.tick.rejected > 0
    assert bob.forged == 0
    assert all(picture.decodable for picture in bob.viewer("TR_camera").pictures())
