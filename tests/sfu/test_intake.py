"""Batches taken by column, from the socket on: nobody can tell them from single packets."""

import pytest

from hubbub.testing.netem import PERFECT, Conditions
from tests.harness.lab import Lab
from tests.harness.rtp_source import AudioSource, simulcast
from tests.harness.rtp_stream import StreamConfig, TransportCounter

ROUGH = Conditions(latency_s=0.02, loss=0.03, reorder=0.03, duplicate=0.02, corrupt=0.01)
NAMES = ("alice", "bob", "carol")
KINDS = ("camera", "voice")


def _run(many: int, up: Conditions) -> list[str]:
    """What became of a room, when columns were used from so many datagrams on."""
    lab = Lab(seed=11)
    lab.engine.tick.many = many
    clients = [lab.join(name, up=up) for name in NAMES]
    for client, name in zip(clients, NAMES, strict=True):
        transport = TransportCounter()
        voice = StreamConfig(0x99, 111, 48_000, mid="1", first_sequence=65_500, transport=transport)
        client.publish(f"TR_{name}_camera", simulcast(rids=("q", "h"), transport=transport))
        client.publish(f"TR_{name}_voice", AudioSource(voice))
        client.negotiate()
    for client, name in zip(clients, NAMES, strict=True):
        client.watch(*(f"TR_{other}_{kind}" for other in NAMES if other != name for kind in KINDS))
    lab.run(3)
    tick = lab.engine.tick
    found: list[object] = [lab.engine.egress.counters.packets, tick.rejected, lab.engine.mux.strangers]
    for client in clients:
        ingress = lab.engine.transports[client.peer.id].ingress
        found += [ingress.unknown, ingress.ignored, ingress.malformed]
        found += [client.plis, client.nacks, client.receiver_reports, client.transport_feedback]
        for viewer in client.viewers.values():
            assert len(viewer.packets) > 50
            first = min(viewer.packets)  # where numbers begin is left to chance
            found += [
                (number - first, got.payload[8:], got.marker, got.at, got.resent)
                for number, got in viewer.packets.items()
            ]
    lab.close()
    return [repr(one) for one in found]


@pytest.mark.parametrize("up", [PERFECT, ROUGH], ids=["perfect", "rough"])
async def test_a_room_fares_the_same(up: Conditions) -> None:
    assert _run(1, up) == _run(1 << 30, up)
