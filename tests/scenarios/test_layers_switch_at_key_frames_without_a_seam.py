"""A subscriber changes layers and sees one stream: numbers, times and picture ids go on."""

import pytest

from hubbub.testing.netem import Conditions
from tests.harness.invariants import check_all, flow
from tests.harness.lab import Lab
from tests.harness.rtp_source import simulcast

WAYS = [(0, 1, 2), (2, 1, 0), (2, 0, 2), (1, 0, 1, 2)]


@pytest.mark.parametrize("rids", [("q", "h", "f"), ("", "", "")], ids=["by RID", "by SSRC"])
@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_up_and_down(lab: Lab, way: tuple[int, ...], rids: tuple[str, ...]) -> None:
    alice = lab.join("alice", up=Conditions(latency_s=0.03))
    bob = lab.join("bob")
    alice.publish("TR_camera", simulcast(rids=rids))
    alice.negotiate()
    bob.watch("TR_camera", spatial=way[0])
    lab.run(3)
    seen = [_newest_layer(alice, bob)]
    for spatial in way[1:]:
        bob.peer.set_layers("TR_camera", spatial=spatial)
        lab.run(2)
        seen.append(_newest_layer(alice, bob))

    ssrcs = [layer.stream.config.ssrc for layer in alice.sources["TR_camera"].layers]
    assert seen == [ssrcs[spatial] for spatial in way]
    check_all(alice, bob.viewer("TR_camera"))


async def test_two_subscribers_switch_apart(lab: Lab) -> None:
    alice = lab.join("alice")
    bob, carol = lab.join("bob"), lab.join("carol")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera", spatial=0)
    carol.watch("TR_camera", spatial=2)
    lab.run(2)
    for turn in range(4):
        bob.peer.set_layers("TR_camera", spatial=(turn + 1) % 3)
        lab.run(0.7)
        carol.peer.set_layers("TR_camera", spatial=turn % 3)
        lab.run(0.7)

    for client in (bob, carol):
        found = check_all(alice, client.viewer("TR_camera"))
        assert len({sent.ssrc for _, sent in found}) == 3


async def test_trap_23_a_switch_keeps_the_old_layer_until_the_key_frame(lab: Lab) -> None:
    alice = lab.join("alice", up=Conditions(latency_s=0.2))
    bob = lab.join("bob")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera", spatial=2)
    lab.run(3)
    alice.answers_plis = False
    bob.peer.set_layers("TR_camera", spatial=0)
    lab.run(1)
    still = _newest_layer(alice, bob)
    alice.answers_plis = True
    lab.run(3)

    low, _, high = (layer.stream.config.ssrc for layer in alice.sources["TR_camera"].layers)
    assert still == high
    assert _newest_layer(alice, bob) == low
    check_all(alice, bob.viewer("TR_camera"))


def _newest_layer(publisher, subscriber) -> int:
    _, sent = flow(publisher, subscriber.viewer("TR_camera"))[-1]
    return sent.ssrc
