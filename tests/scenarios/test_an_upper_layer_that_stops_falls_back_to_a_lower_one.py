"""A publisher that runs short of bandwidth stops its upper layers without a word."""

from itertools import pairwise

from hubbub.testing.netem import Conditions
from tests.harness.invariants import check_all, flow
from tests.harness.lab import Lab
from tests.harness.rtp_source import simulcast


async def test_those_who_watched_it_get_the_lower_one(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    source = simulcast()
    alice.publish("TR_camera", source)
    alice.negotiate()
    bob.watch("TR_camera", spatial=2)
    lab.run(3)
    source.layers[2].pause()
    lab.run(2)

    viewer = bob.viewer("TR_camera")
    found = flow(alice, viewer)
    assert found[-1][1].ssrc == source.layers[1].stream.config.ssrc
    longest_s = max(b.at - a.at for (a, _), (b, _) in pairwise(found))
    assert longest_s < 1.0

    source.layers[2].resume(alice.media_time(lab.now))
    lab.run(2)
    assert flow(alice, viewer)[-1][1].ssrc == source.layers[2].stream.config.ssrc
    check_all(alice, viewer)


async def test_a_silence_of_the_whole_publisher_stops_no_layer(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    source = simulcast()
    alice.publish("TR_camera", source)
    alice.negotiate()
    bob.watch("TR_camera", spatial=2)
    lab.run(3)
    alice.answers_plis = False
    alice.up.change(Conditions(rate_bps=0), lab.now)
    lab.run(2)
    alice.up.change(Conditions(), lab.now)
    lab.run(1)

    viewer = bob.viewer("TR_camera")
    found = check_all(alice, viewer)
    assert found[-1][1].ssrc == source.layers[2].stream.config.ssrc
    assert viewer.in_order[-1].at > lab.now - 0.1, "the picture stands still"
