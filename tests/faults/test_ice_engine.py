"""Faults 14 and 18 in an engine of the test's own: on a clock that the test moves, or told what time it is."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sfu.config import MediaConfig
from sfu.control import TransportFailed
from tests.faults.engine_peer import Hall, hall
from tests.harness.eventually import eventually
from tests.harness.lab import Lab
from tests.harness.lab_client import LabClient
from tests.harness.rtp_source import AudioSource, StreamConfig


@pytest.fixture
async def here() -> AsyncIterator[Hall]:
    async with hall() as made:
        yield made


async def test_14_consent_that_stops_and_comes_back() -> None:
    defaults = MediaConfig()
    lab = Lab(ice_disconnect_s=defaults.ice_disconnect_s)
    steady, shaky, gone = clients = [lab.join(name) for name in ("steady", "shaky", "gone")]
    for client in clients:
        client.publish(client.peer.id, AudioSource(StreamConfig(0x66, 111, clock_rate=48_000, mid="0")))
        client.negotiate()
        client.sources[client.peer.id].paused = True
    shaky_s = int(defaults.ice_disconnect_s) + 2  # silent for longer than it takes to count as disconnected
    for second in range(3 * shaky_s):
        steady.consent()
        if second % shaky_s == shaky_s - 1:
            shaky.consent()
        lab.run(1.0)
    assert failures(gone) == ["ICE: the peer is silent"]  # told once
    assert failures(steady) == failures(shaky) == []
    confirmed = gone.confirmed
    gone.consent()  # nobody has closed it: it may still come back
    lab.run(5.0)
    assert gone.confirmed == confirmed + 1
    assert len(failures(gone)) == 1
    lab.run(defaults.ice_disconnect_s + defaults.ice_failed_s)
    assert len(failures(gone)) == 2
    lab.close()


def failures(client: LabClient) -> list[str]:
    return [event.reason for event in client.peer.events if isinstance(event, TransportFailed)]


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
