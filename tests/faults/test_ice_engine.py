"""Faults 14 and 18 in an engine of the test's own, where silence need not last for fifteen seconds."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sfu.control import Event, TransportFailed
from tests.faults.engine_peer import EnginePeer, Hall, hall
from tests.harness.eventually import eventually


@pytest.fixture
async def here() -> AsyncIterator[Hall]:
    async with hall(ice_disconnect_s=0.3, ice_failed_s=0.9) as made:
        yield made


def failures(peer: EnginePeer) -> list[Event]:
    return [event for event in peer.events if isinstance(event, TransportFailed)]


async def test_14_consent_that_stops_and_comes_back(here: Hall) -> None:
    steady, shaky, gone = (here.peer(name) for name in ("steady", "shaky", "gone"))
    for peer in (steady, shaky, gone):
        peer.publish()
        peer.consent()
    for turn in range(32):
        steady.consent()
        if turn % 8 == 7:  # silent for longer than it takes to count as disconnected
            shaky.consent()
        await asyncio.sleep(0.05)
    assert [event.reason for event in failures(gone)] == ["ICE: the peer is silent"]  # told once
    assert not failures(steady)
    assert not failures(shaky)
    gone.take()
    gone.consent()  # nobody has closed it: it may still come back
    await eventually(gone.confirmed, "an answer to one who was given up")
    assert len(failures(gone)) == 1


async def test_18_an_address_changes_hands_when_it_falls_silent(here: Hall) -> None:
    """A NAT (or a new tab) may give one client's port to another; until then it is not to be had."""
    first, second = here.peer("first"), here.peer("second")
    first.publish()
    second.publish()
    first.consent()
    await eventually(first.confirmed, "the first one's path")
    port, mux = here.engine.ports[0], here.engine.mux
    (key,) = mux.by_udp[0]
    now = asyncio.get_running_loop().time()
    one, two = (here.engine.transports[peer.id] for peer in (first, second))
    first.take()
    mux.udp_check(port, key, second.check(), now + 1)
    assert mux.by_udp[0][key] is one
    assert two.ice.selected is None  # so nothing is sent there in the second one's name either
    assert first.take() == []
    mux.udp_check(port, key, second.check(), now + 5)
    assert mux.by_udp[0][key] is two
    first.close()
    assert mux.by_udp[0][key] is two
    second.close()
    assert not mux.by_udp[0]


async def test_18_an_address_is_free_when_its_owner_has_left(here: Hall) -> None:
    first, second = here.peer("first"), here.peer("second")
    first.publish()
    second.publish()
    first.consent()
    await eventually(first.confirmed, "the first one's path")
    port, mux = here.engine.ports[0], here.engine.mux
    (key,) = mux.by_udp[0]
    now = asyncio.get_running_loop().time()
    mux.udp_check(port, key, second.check(), now)
    first.close()
    assert key not in mux.by_udp[0]
    mux.udp_check(port, key, second.check(), now)
    assert mux.by_udp[0][key] is here.engine.transports[second.id]
