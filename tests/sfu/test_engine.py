"""The engine's commands, in the order they come and out of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from hubbub.testing.netem import Conditions
from sfu import control
from sfu.config import MediaConfig
from sfu.control import MediaKind, RouterId, TrackId, TransportId, TransportRole
from sfu.engine import Engine
from sfu.errors import MediaStartError
from tests.harness.eventually import eventually
from tests.harness.lab import Lab
from tests.harness.rtp_source import AudioSource, StreamConfig, simulcast

GONE = TransportId("PC_gone")
NO_TRACK = TrackId("TR_gone")


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    made = Lab(seed=1, max_transports=5)
    yield made
    made.close()


@pytest.mark.parametrize(
    "command",
    [
        control.CloseRouter(RouterId("RM_gone")),
        control.OpenTransport(RouterId("RM_gone"), GONE, TransportRole.SINGLE, "PA_x"),
        control.CloseTransport(GONE),
        control.MoveTransport(GONE, RouterId("RM_gone")),
        control.Offer(GONE, 1, "v=0"),
        control.Answer(GONE, 1, "v=0"),
        control.RestartIce(GONE),
        control.ExpectTrack(GONE, control.TrackSpec(NO_TRACK, MediaKind.AUDIO, ())),
        control.DropTrack(GONE, NO_TRACK),
        control.MuteTrack(NO_TRACK, muted=True),
        control.Subscribe(GONE, NO_TRACK, "PA_x|TR_x"),
        control.Unsubscribe(GONE, NO_TRACK),
        control.SetLayers(GONE, NO_TRACK, enabled=True, spatial=1),
        control.SendData((GONE,), control.RELIABLE, b"x"),
    ],
    ids=lambda command: type(command).__name__,
)
async def test_what_is_gone_is_ignored(lab: Lab, command: control.Command) -> None:
    lab.join("alice")
    lab.engine.execute(command)
    lab.run(0.1)
    assert lab.events == []
    assert len(lab.engine.transports) == 1


async def test_a_transport_is_opened_once(lab: Lab) -> None:
    client = lab.join("alice")
    transport = lab.engine.transports[client.peer.id]
    client.peer.open()
    assert lab.engine.transports[client.peer.id] is transport
    assert len(lab.engine.peers) == 1


async def test_a_transport_moves_to_another_router(lab: Lab) -> None:
    client = lab.join("alice")
    transport = lab.engine.transports[client.peer.id]
    old, new = lab.engine.routers[transport.router_id], RouterId("RM_new")
    lab.engine.execute(control.MoveTransport(transport.id, new))
    assert old.transports, "there is no such router yet"
    lab.engine.execute(control.OpenRouter(new))
    lab.engine.execute(control.MoveTransport(transport.id, new))
    assert (old.transports, list(lab.engine.routers[new].transports)) == ({}, [transport.id])
    lab.engine.execute(control.CloseRouter(old.id))
    assert transport.id in lab.engine.transports
    lab.engine.execute(control.CloseRouter(new))
    assert transport.id not in lab.engine.transports


async def test_a_track_is_seen_from_another_router(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    lab.engine.execute(control.OpenRouter(RouterId("RM_new")))
    lab.engine.execute(control.MoveTransport(bob.peer.id, RouterId("RM_new")))
    bob.watch("TR_camera")
    lab.run(1)
    assert bob.viewer("TR_camera").pictures()


async def test_there_is_a_limit_of_transports(lab: Lab) -> None:
    for number in range(5):
        lab.join(f"guest{number}")
    late = lab.join("late")
    assert late.peer.events == [control.TransportFailed(late.peer.id, "too many transports")]
    assert late.peer.id not in lab.engine.transports


async def test_nonsense_in_an_offer_changes_nothing(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera")
    lab.engine.execute(control.Offer(bob.peer.id, 99, "v=0\r\nnonsense"))
    assert isinstance(bob.peer.events[-1], control.NegotiationFailed)
    lab.run(1)
    assert bob.viewer("TR_camera").packets


async def test_events_of_a_track_come_in_order(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    alice.publish("TR_camera", simulcast())
    alice.negotiate()
    bob.watch("TR_camera")
    lab.run(0.5)
    lab.engine.execute(control.DropTrack(alice.peer.id, TrackId("TR_camera")))
    names = [type(event).__name__ for event in lab.events]
    started, bound, layer, ended = (
        names.index(name) for name in ("TrackStarted", "TrackBound", "LayerStarted", "TrackEnded")
    )
    assert started < bound < layer < ended
    assert names.count("LayerStarted") == 3
    before = len(bob.viewer("TR_camera").packets)
    lab.run(0.5)
    assert len(bob.viewer("TR_camera").packets) == before


async def test_closing_a_router_ends_everything_in_it_and_nothing_else(lab: Lab) -> None:
    alice, bob = lab.join("alice", room="RM_1"), lab.join("bob", room="RM_1")
    carol, dave = lab.join("carol", room="RM_2"), lab.join("dave", room="RM_2")
    for publisher, watcher in ((alice, bob), (carol, dave)):
        track_id = f"TR_{publisher.peer.id}"
        publisher.publish(track_id, simulcast(rids=("f",)))
        publisher.negotiate()
        watcher.watch(track_id)
    lab.run(0.5)
    lab.engine.execute(control.CloseRouter(RouterId("RM_1")))
    assert set(lab.engine.transports) == {carol.peer.id, dave.peer.id}
    before = len(dave.viewer(f"TR_{carol.peer.id}").packets)
    lab.run(0.5)
    assert len(dave.viewer(f"TR_{carol.peer.id}").packets) > before


async def test_speakers_are_told_while_they_speak(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    source = AudioSource(StreamConfig(0x77, 111, 48_000, mid="0"), level=lambda at: 20 if at < 2 else 127)
    alice.publish("TR_voice", source)
    alice.negotiate()
    bob.watch("TR_voice")
    lab.run(4)
    told = [event.levels for event in lab.events if isinstance(event, control.Speakers)]
    assert TrackId("TR_voice") in told[0]
    assert told[-1] == {}


async def test_a_silent_client_fails_and_is_told_once(lab: Lab) -> None:
    alice = lab.join("alice")
    alice.publish("TR_camera", simulcast(rids=("f",)))
    alice.negotiate()
    alice.up.change(Conditions(rate_bps=0), lab.now)
    ice = lab.engine.transports[alice.peer.id].ice
    ice._disconnected_after_s, ice._failed_after_s = 1.0, 1.0
    lab.run(4)
    failed = [event for event in lab.events if isinstance(event, control.TransportFailed)]
    assert failed == [control.TransportFailed(alice.peer.id, "ICE: the peer is silent")]


async def test_strangers_are_not_believed(lab: Lab) -> None:
    alice, bob = lab.join("alice"), lab.join("bob")
    alice.publish("TR_camera", simulcast(rids=("f",)))
    alice.negotiate()
    lab.run(0.2)
    before = lab.engine.mux.strangers
    packets = alice.sources["TR_camera"].layers[0].take(5.0)
    for data in (
        alice.peer.srtp.protect(packets[0].data),
        b"\x16\xfe\xfd" + bytes(40),
        b"\x00\x01" + bytes(30),
    ):
        lab._port.put("10.9.9.9", data, 0)
    lab.run(0.1)
    assert lab.engine.mux.strangers == before + 3
    lab._port.put(bob.host, alice.peer.srtp.protect(packets[1].data), 0)
    lab.run(0.1)
    assert lab.engine.mux.strangers == before + 4, "a client without a validated address is one, too"


async def test_a_port_that_is_taken_is_named() -> None:
    first = Engine(_local(), lambda event: None)
    await first.start()
    try:
        second = Engine(_local(udp_port=first.ports[0].port), lambda event: None)
        with pytest.raises(MediaStartError, match=str(first.ports[0].port)):
            await second.start()
    finally:
        await first.close()


def _local(udp_port: int = 0) -> MediaConfig:
    return MediaConfig(udp_port=udp_port, tcp_port=0, bind_addresses=("127.0.0.1",), node_ip="127.0.0.1")


@pytest.mark.parametrize("ipv6", [True, False])
async def test_a_machine_without_ipv6_starts_all_the_same(
    monkeypatch: pytest.MonkeyPatch, ipv6: bool
) -> None:
    monkeypatch.setattr("sfu.announce.has_ipv6", lambda: ipv6)
    config = MediaConfig(udp_port=0, tcp_port=0, bind_addresses=("127.0.0.1", "::"), node_ip="127.0.0.1")
    engine = Engine(config, lambda event: None)
    await engine.start()
    assert len(engine.ports) == 1 + ipv6
    await engine.close()


async def test_where_only_ipv6_was_asked_for_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfu.announce.has_ipv6", lambda: False)
    engine = Engine(MediaConfig(udp_port=0, tcp_port=0, bind_addresses=("::",)), lambda event: None)
    await engine.start()
    assert [port.host for port in engine.ports] == ["::"]
    await engine.close()


async def test_a_fault_in_one_round_does_not_end_all_feedback(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(_local(), lambda event: None)
    await engine.start()
    rounds: list[float] = []

    def run(now: float, unix_now: float, enough: Callable[[], bool]) -> bool:
        rounds.append(now)
        raise RuntimeError("a fault")

    monkeypatch.setattr(engine._housekeeping, "run", run)
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    await eventually(lambda: len(rounds) > 2, "another round")
    await engine.close()


def _with_waiting_copies(lab: Lab, watchers: int) -> Engine:
    """Where a packet of a camera has just come, for so many."""
    alice, bobs = lab.join("alice"), [lab.join(f"bob{n}") for n in range(watchers)]
    alice.publish("TR_camera", simulcast(rids=("f",)))
    alice.negotiate()
    for bob in bobs:
        bob.watch("TR_camera")
    lab.run(0.5)
    (packet,) = alice.sources["TR_camera"].take(0.7)[:1]
    lab.engine.feed(lab.engine.transports[alice.peer.id], [packet.data])
    return lab.engine


async def test_an_engine_that_closes_forgets_copies_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfu.forwarding.backlog.WIDE", 1)
    lab = Lab(seed=1)
    engine = _with_waiting_copies(lab, 3)
    assert engine.backlog.copies == 3
    lab.close()
    assert engine.backlog.copies == 0
    await asyncio.sleep(0)


async def test_waiting_copies_go_out_turn_by_turn(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    monkeypatch.setattr("sfu.forwarding.backlog.WIDE", 1)
    monkeypatch.setattr("sfu.forwarding.backlog.PIECE", 2)
    engine = _with_waiting_copies(lab, 4)
    waiting = [engine.backlog.copies]
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.append(engine.backlog.copies)
    assert waiting == [4, 2, 0, 0]


async def test_nothing_is_drained_while_too_many_copies_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(_local(), lambda event: None)
    await engine.start()
    drained: list[object] = []
    monkeypatch.setattr(engine.tick, "turn", lambda port, now, unix_now: drained.append(port))
    with monkeypatch.context() as patched:
        patched.setattr("sfu.forwarding.backlog.Backlog.full", True)
        engine._read(engine.ports[0], time.monotonic())
    assert not drained
    engine._read(engine.ports[0], time.monotonic())
    assert drained
    await engine.close()
