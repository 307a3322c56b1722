"""However many subscribers ask, and however often, a publisher is asked seldom (media-plane invariant 8)."""

from itertools import pairwise

from hubbub.testing.netem import Conditions
from sfu.rtp import rtcp
from sfu.streams.keyframes import MIN_INTERVAL_S
from tests.harness.lab import Lab
from tests.harness.rtp_source import simulcast


async def test_a_storm_of_requests(lab: Lab) -> None:
    alice = lab.join("alice")
    alice.publish("TR_camera", simulcast(rids=("f",)))
    alice.negotiate()
    watchers = [lab.join(f"watcher{n}") for n in range(10)]
    for watcher in watchers:
        watcher.watch("TR_camera")
    lab.run(1)
    alice.plis.clear()
    duration_s = 5.0
    for _ in range(int(duration_s / 0.01)):
        for watcher in watchers:
            ssrc = watcher.viewer("TR_camera").ssrc
            watcher.up.send(watcher.peer.srtp.protect_rtcp(rtcp.build_pli(1, ssrc)), lab.now)
        lab.run(0.01)

    assert alice.plis
    assert len(alice.plis) <= duration_s / MIN_INTERVAL_S + 1


async def test_a_crowd_that_joins_shares_key_frames(lab: Lab) -> None:
    alice = lab.join("alice", up=Conditions(latency_s=0.05))
    alice.publish("TR_camera", simulcast(rids=("f",)))
    alice.negotiate()
    lab.run(1)
    alice.plis.clear()
    watchers = [lab.join(f"watcher{n}") for n in range(30)]
    for watcher in watchers:
        watcher.watch("TR_camera")
        lab.run(0.01)
    lab.run(1)

    assert all(watcher.viewer("TR_camera").packets for watcher in watchers)
    assert len(alice.plis) <= 5


async def test_a_publisher_that_ignores_them_is_asked_ever_more_seldom(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    alice.publish("TR_camera", simulcast(rids=("f",)))
    alice.negotiate()
    lab.run(1)
    alice.answers_plis = False
    alice.plis.clear()
    bob.watch("TR_camera")
    lab.run(20)

    gaps = [b - a for (a, _), (b, _) in pairwise(alice.plis)]
    assert 5 <= len(alice.plis) <= 12
    assert gaps == sorted(gaps)
