"""Retransmission to subscribers: what the network loses comes again, as it was."""

import pytest

from hubbub.testing.netem import BurstLoss, Conditions
from tests.harness.invariants import check_numbers, flow
from tests.harness.lab import Lab
from tests.harness.offers import Line
from tests.harness.rtp_source import simulcast

NETWORKS = {
    "1 %": Conditions(loss=0.01, latency_s=0.02),
    "5 %": Conditions(loss=0.05, latency_s=0.02, jitter_s=0.01),
    "20 %": Conditions(loss=0.20, latency_s=0.02),
    "bursts": Conditions(burst=BurstLoss(0.05, 8), latency_s=0.02),
    "a long way": Conditions(loss=0.05, latency_s=0.15, jitter_s=0.03),
    "shuffled and lossy": Conditions(loss=0.05, latency_s=0.02, reorder=0.05, duplicate=0.02),
}


@pytest.mark.parametrize("network", NETWORKS)
async def test_every_picture_can_be_shown(lab: Lab, network: str) -> None:
    alice = lab.join("alice")
    bob = lab.join("bob", down=NETWORKS[network])
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera")
    lab.run(5)
    bob.down.change(Conditions(latency_s=0.02), lab.now)
    lab.run(1)

    viewer = bob.viewer("TR_camera")
    assert bob.down.lost > 0
    assert viewer.resent
    pictures = viewer.pictures()
    assert all(picture.decodable for picture in pictures)
    assert len(pictures) > 150
    check_numbers(flow(alice, viewer))


async def test_without_retransmission_a_key_frame_heals(lab: Lab) -> None:
    alice = lab.join("alice")
    bob = lab.join("bob", down=Conditions(loss=0.02, latency_s=0.02))
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera", line=Line("video", "", rtx=False))
    lab.run(6)

    viewer = bob.viewer("TR_camera")
    assert not viewer.resent
    assert viewer.holes
    pictures = viewer.pictures()
    broken = [n for n, picture in enumerate(pictures) if not picture.decodable]
    assert broken
    assert any(picture.decodable for picture in pictures[broken[0] :]), "it never came back"
