"""Faults 14 and 18 in an engine of the test's own, where silence need not last for fifteen seconds."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from sfu import control
from sfu.config import MediaConfig
from sfu.control import Event, RouterId, TransportFailed
from sfu.engine import Engine
from tests.harness.eventually import eventually
from tests.harness.keyed_peer import KeyedPeer
from tests.harness.offers import Line

CONFIG = MediaConfig(
    udp_port=0, tcp_port=0, bind_addresses=("127.0.0.1",), ice_disconnect_s=0.3, ice_failed_s=0.3
)


class Peer(KeyedPeer):
    """A keyed peer with a socket, whose keys the engine has been given."""

    def __init__(self, name: str, engine: Engine) -> None:
        super().__init__(name, engine.execute)
        self.engine = engine
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(("127.0.0.1", engine.ports[0].port))

    def connect(self) -> None:
        """Offer, and be keyed; the address is found by :meth:`consent`."""
        self.open()
        self.send_line(Line("audio", "0", cid="mic", ssrcs=(len(self.id),)))
        self.offer()
        self.engine.transports[self.id].keyed(self.keys)

    def consent(self) -> None:
        self.socket.send(self.check())

    def confirmed(self) -> int:
        """Answers to checks that came since last asked."""
        count = 0
        try:
            while True:
                count += self.is_confirmed(self.socket.recv(2048))
        except BlockingIOError:
            return count


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    peers: dict[str, Peer] = {}

    def emit(event: Event) -> None:
        peer = peers.get(getattr(event, "transport_id", ""))
        if peer is not None:
            peer.on_event(event)

    made = Engine(CONFIG, emit)
    made.peers_of_test = peers  # type: ignore[attr-defined]
    await made.start()
    made.execute(control.OpenRouter(RouterId("RM_room")))
    yield made
    await made.close()
    for peer in peers.values():
        peer.socket.close()


def join(engine: Engine, name: str) -> Peer:
    peer = Peer(name, engine)
    engine.peers_of_test[name] = peer  # type: ignore[attr-defined]
    peer.connect()
    return peer


def failures(peer: Peer) -> list[Event]:
    return [event for event in peer.events if isinstance(event, TransportFailed)]


async def test_14_consent_that_stops_and_comes_back(engine: Engine) -> None:
    steady, shaky, gone = (join(engine, name) for name in ("steady", "shaky", "gone"))
    for peer in (steady, shaky, gone):
        peer.consent()
    for turn in range(30):
        steady.consent()
        if turn % 9 == 8:  # silent for longer than it takes to count as disconnected
            shaky.consent()
        await asyncio.sleep(0.05)
    assert [event.reason for event in failures(gone)] == ["ICE: the peer is silent"]  # told once
    assert not failures(steady)
    assert not failures(shaky)
    gone.consent()  # nobody has closed it: it may still come back
    await eventually(gone.confirmed, "an answer to one who was given up")
    assert len(failures(gone)) == 1


async def test_18_an_address_changes_hands_when_it_falls_silent(engine: Engine) -> None:
    """A NAT (or a new tab) may give one client's port to another; until then it is not to be had."""
    first, second = join(engine, "first"), join(engine, "second")
    first.consent()
    await eventually(first.confirmed, "the first one's path")
    port, mux = engine.ports[0], engine.mux
    (key,) = mux.by_udp[0]
    now = asyncio.get_running_loop().time()
    one, two = (engine.transports[peer.id] for peer in (first, second))
    mux.udp_check(port, key, second.check(), now + 1)
    assert mux.by_udp[0][key] is one
    mux.udp_check(port, key, second.check(), now + 5)
    assert mux.by_udp[0][key] is two
    first.close()
    assert mux.by_udp[0][key] is two
    second.close()
    assert not mux.by_udp[0]


async def test_18_an_address_is_free_when_its_owner_has_left(engine: Engine) -> None:
    first, second = join(engine, "first"), join(engine, "second")
    first.consent()
    await eventually(first.confirmed, "the first one's path")
    port, mux = engine.ports[0], engine.mux
    (key,) = mux.by_udp[0]
    now = asyncio.get_running_loop().time()
    mux.udp_check(port, key, second.check(), now)
    first.close()
    assert key not in mux.by_udp[0]
    mux.udp_check(port, key, second.check(), now)
    assert mux.by_udp[0][key] is engine.transports[second.id]
