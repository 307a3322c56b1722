"""Sender reports pair what was captured together, whatever layer is watched."""

import pytest

from hubbub.testing.netem import Conditions
from tests.harness.lab import Lab
from tests.harness.rtp_source import AudioSource, StreamConfig, TransportCounter, simulcast
from tests.harness.viewer import body

LIP_SYNC_S = 0.03


async def test_reports_of_both_tell_the_same_time(lab: Lab) -> None:
    alice = lab.join("alice", up=Conditions(latency_s=0.05, jitter_s=0.01))
    bob = lab.join("bob")
    transport = TransportCounter()
    alice.publish("TR_camera", simulcast("0", transport=transport))
    alice.publish(
        "TR_voice",
        AudioSource(StreamConfig(0x77, 111, 48_000, mid="1", first_timestamp=12_345, transport=transport)),
    )
    alice.negotiate()
    bob.watch("TR_camera", "TR_voice")
    lab.run(4)
    bob.peer.set_layers("TR_camera", spatial=0)
    lab.run(5)

    captured = {}
    for name in ("TR_camera", "TR_voice"):
        viewer = bob.viewer(name)
        report = next(r for _, r in reversed(bob.sender_reports) if r.ssrc == viewer.ssrc)
        last = viewer.in_order[-1]
        behind_s = ((report.rtp_timestamp - last.timestamp + 2**31) % 2**32 - 2**31) / viewer.clock_rate
        # On the receiver's clock: when was the newest packet captured?
        captured[name] = report.ntp / 2**32 - behind_s
        sent = alice.sent[body(last.payload, viewer.mime == "video/vp8")]
        captured[name] -= sent.sent_at
    assert captured["TR_camera"] == pytest.approx(captured["TR_voice"], abs=LIP_SYNC_S)
