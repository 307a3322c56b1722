"""No state outlives its owner (media-plane invariant 9)."""

import asyncio
import gc
import weakref

from sfu import control
from sfu.control import RouterId
from tests.harness.lab import Lab
from tests.harness.rtp_source import AudioSource, StreamConfig, TransportCounter, simulcast


async def test_after_a_call_of_three(lab: Lab) -> None:
    clients = [lab.join(name) for name in ("alice", "bob", "carol")]
    for number, client in enumerate(clients):
        transport = TransportCounter()
        client.publish(f"TR_V{number}", simulcast("0", transport=transport))
        client.publish(
            f"TR_A{number}", AudioSource(StreamConfig(0x9000, 111, 48_000, mid="1", transport=transport))
        )
        client.negotiate()
    for number, client in enumerate(clients):
        others = [other for other in range(3) if other != number]
        client.watch(*(f"TR_{kind}{other}" for other in others for kind in "VA"))
    lab.run(2)
    engine = lab.engine
    assert len(engine.down_tracks) == 12
    remembered = [weakref.ref(transport.ingress) for transport in engine.transports.values()]

    for client in clients:
        lab.leave(client)
        lab.run(0.3)
    engine.execute(control.CloseRouter(RouterId("RM_room")))
    lab.run(6)

    assert not engine.transports
    assert not engine.routers
    assert not engine.context.tracks
    assert len(engine.down_tracks) == 0
    assert len(engine.peers) == 0
    assert not engine.tick.feedback
    assert not engine.tick.started_layers
    assert not engine.mux.by_udp[0]
    assert not engine.mux._by_ufrag
    assert not engine.mux._ufrags
    for _ in range(3):
        await asyncio.sleep(0)  # tasks that were cancelled end
    gc.collect()
    assert [ref() for ref in remembered] == [None] * 3


async def test_after_people_came_and_went_for_hours(lab: Lab) -> None:
    alice = lab.join("alice")
    alice.publish("TR_camera", simulcast(rids=("f",)))
    alice.negotiate()
    for number in range(30):
        guest = lab.join(f"guest{number}")
        guest.watch("TR_camera", spatial=number % 3, temporal=number % 4)
        lab.run(0.2)
        lab.leave(guest)
    lab.run(1)

    track = lab.engine.context.tracks["TR_camera"]  # type: ignore[index]
    assert not track.down_tracks
    assert all(not layer.renditions for layer in track.layers)
    assert len(lab.engine.transports) == 1
    assert len(lab.engine.down_tracks) == 0
    assert len(lab.engine.peers) == 1
