"""Retransmission from publishers: the engine asks them again, and forwards late what it gets."""

from itertools import pairwise

import pytest

from hubbub.testing.netem import BurstLoss, Conditions
from tests.harness.invariants import check_numbers, check_pictures, check_switches, check_timestamps, flow
from tests.harness.lab import Lab
from tests.harness.rtp_source import simulcast

NETWORKS = {
    "1 %": Conditions(loss=0.01, latency_s=0.02),
    "5 %": Conditions(loss=0.05, latency_s=0.02, jitter_s=0.01),
    "20 %": Conditions(loss=0.20, latency_s=0.02),
    "bursts": Conditions(burst=BurstLoss(0.05, 8), latency_s=0.02),
}


@pytest.mark.parametrize("network", NETWORKS)
async def test_every_picture_can_be_shown(lab: Lab, network: str) -> None:
    alice = lab.join("alice", up=NETWORKS[network])
    bob = lab.join("bob")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera")
    lab.run(5)
    alice.up.change(Conditions(latency_s=0.02), lab.now)
    lab.run(1)

    viewer = bob.viewer("TR_camera")
    assert alice.up.lost > 0
    assert alice.nacks
    pictures = viewer.pictures()
    assert sum(not picture.decodable for picture in pictures) <= 1, "but for the seam of a lossy switch"
    assert len(pictures) > 150
    found = flow(alice, viewer)
    check_numbers(found, lossy=True)
    check_timestamps(found)
    check_switches(found)


async def test_what_comes_late_goes_out_under_its_own_number(lab: Lab) -> None:
    alice = lab.join("alice", up=Conditions(loss=0.05, latency_s=0.02))
    bob = lab.join("bob")
    alice.publish("TR_camera", simulcast(rids=("f",)))
    alice.negotiate()
    bob.watch("TR_camera")
    bob.viewer("TR_camera").asks = False
    lab.run(3)
    alice.up.change(Conditions(latency_s=0.02), lab.now)
    lab.run(1)

    viewer = bob.viewer("TR_camera")
    late = [(a, b) for a, b in pairwise(viewer.in_order) if b.at < a.at]
    assert late, "nothing came late"
    assert viewer.holes == []
    check_pictures(viewer)


async def test_a_publisher_that_never_answers_is_asked_for_a_key_frame(lab: Lab) -> None:
    alice = lab.join("alice", up=Conditions(latency_s=0.02))
    bob = lab.join("bob")
    alice.publish("TR_camera", simulcast(rids=("f",)))
    alice.negotiate()
    alice.answers_nacks = False
    bob.watch("TR_camera")
    lab.run(1)
    bob.viewer("TR_camera").asks = False
    before = len(alice.plis)
    alice.up.change(Conditions(latency_s=0.02, loss=0.3), lab.now)
    lab.run(0.2)
    alice.up.change(Conditions(latency_s=0.02), lab.now)
    lab.run(3)

    assert len(alice.plis) > before
    assert bob.viewer("TR_camera").pictures()[-1].decodable
