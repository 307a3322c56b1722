"""What publishers are told of their packets' arrival is what happened (media-plane invariant 10)."""

import pytest

from hubbub.testing.netem import Conditions
from sfu.rtp.extensions import walk
from sfu.rtp.header import PacketClass, demux, parse_header
from tests.harness.lab import Lab
from tests.harness.lab_client import LabClient
from tests.harness.rtp_source import simulcast

TOLERANCE_US = 125
TWCC_ID = 5


@pytest.mark.parametrize(
    "network",
    [
        Conditions(latency_s=0.02),
        Conditions(latency_s=0.02, jitter_s=0.02, loss=0.1),
        Conditions(latency_s=0.02, reorder=0.05, reorder_s=0.01, duplicate=0.05),
    ],
    ids=["clean", "lossy", "shuffled"],
)
async def test_each_arrival_once_and_on_time(lab: Lab, network: Conditions) -> None:
    alice = lab.join("alice", up=network)
    bob = lab.join("bob")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera")
    lab.run(4)
    for source in alice.sources.values():
        for layer in source.layers:
            layer.pause()
    lab.run(0.5)

    arrived = _arrivals(alice)
    told = {number: at for number, at in alice.transport_feedback if at is not None}
    assert set(told) == set(arrived)
    first = min(arrived)
    origin_us = told[first] - arrived[first] * 1e6
    for number, at in arrived.items():
        assert told[number] - origin_us == pytest.approx(at * 1e6, abs=2 * TOLERANCE_US + 1)


def _arrivals(client: LabClient) -> dict[int, float]:
    """When each transport-wide number first reached the engine; the header is not encrypted."""
    found: dict[int, float] = {}
    for at, data in client.arrived:
        if demux(data[0], data[1]) is not PacketClass.RTP:
            continue
        header = parse_header(data, len(data))
        for id_, start, size in walk(
            data, header.extension_profile, header.extension_start, header.extension_end
        ):
            if id_ == TWCC_ID:
                found.setdefault(int.from_bytes(data[start : start + size], "big"), at)
    return found
