"""Who asks for fewer frames gets numbers and picture ids without gaps, and every frame that is left can be shown."""

import pytest

from hubbub.testing.netem import Conditions
from tests.harness.invariants import check_all, check_numbers, check_pictures, flow
from tests.harness.lab import Lab
from tests.harness.rtp_source import simulcast


@pytest.mark.parametrize("temporal", [0, 1, 2])
async def test_one_temporal_layer_after_the_other(lab: Lab, temporal: int) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    alice.publish("TR_camera", simulcast(rids=("f",)))
    alice.negotiate()
    bob.watch("TR_camera", temporal=temporal)
    lab.run(4)

    viewer = bob.viewer("TR_camera")
    found = check_all(alice, viewer, filtered=True)
    assert max(sent.temporal for _, sent in found) == temporal
    pictures = viewer.pictures()
    assert all(picture.decodable for picture in pictures)
    assert len(pictures) == pytest.approx(4 * 30 / (1, 2, 4)[2 - temporal], abs=3)


async def test_changing_between_them_needs_no_key_frame(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    source = simulcast(rids=("f",))
    alice.publish("TR_camera", source)
    alice.negotiate()
    bob.watch("TR_camera", temporal=2)
    lab.run(1)
    keyframes = source.layers[0].keyframes
    for temporal in (0, 2, 1, 0, 1, 2):
        bob.peer.set_layers("TR_camera", spatial=2, temporal=temporal)
        lab.run(0.6)

    viewer = bob.viewer("TR_camera")
    assert source.layers[0].keyframes == keyframes
    check_pictures(viewer)
    check_numbers(flow(alice, viewer), filtered=True)
    assert viewer.holes == []
    assert all(picture.decodable for picture in viewer.pictures())


async def test_what_was_filtered_out_is_not_asked_for_again(lab: Lab) -> None:
    alice = lab.join("alice", up=Conditions(latency_s=0.02, loss=0.05))
    bob = lab.join("bob", down=Conditions(latency_s=0.02, loss=0.05))
    alice.publish("TR_camera", simulcast(rids=("f",)))
    alice.negotiate()
    bob.watch("TR_camera", temporal=0)
    lab.run(4)
    alice.up.change(Conditions(latency_s=0.02), lab.now)
    bob.down.change(Conditions(latency_s=0.02), lab.now)
    lab.run(1)

    viewer = bob.viewer("TR_camera")
    found = flow(alice, viewer)
    check_numbers(found, filtered=True, lossy=True)
    base = [picture for picture in viewer.pictures() if picture.complete]
    assert len(base) >= 36, "of 37"
