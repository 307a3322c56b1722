"""Two clients without peer connections, on an engine with real sockets that nobody uses."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sfu import control
from sfu.config import MediaConfig
from sfu.control import LOSSY, RELIABLE, Event, MediaKind, RouterId, TrackId, TrackSpec, TransportId
from sfu.pool import LocalPool
from sfu.snapshot import Loss
from sfu.tap import Tapped
from sfu.tap import tap as tap_module
from tests.harness.eventually import eventually, stays

CONFIG = MediaConfig(
    udp_port=0, tcp_port=0, bind_addresses=("127.0.0.1",), ice_failed_s=0.1, ice_disconnect_s=0.1
)
KEYFRAME = b"\x90\x80\x80\x01\x10\x00\x00\x9d\x01\x2a\x40\x01\xb4\x00rest"
DELTA = b"\x90\x80\x80\x02\x11\x00\x00rest"


class Client:
    """A tap that writes down what it hears."""

    def __init__(self, pool: LocalPool, name: str) -> None:
        self.id = TransportId(name)
        self.packets: list[Tapped] = []
        self.wishes: list[str] = []
        self.messages: list[tuple[str, bytes]] = []
        self.is_closed = False
        self._pool = pool
        role = control.TransportRole.SINGLE
        pool.execute(control.OpenTransport(RouterId("RM"), self.id, role, f"PA_{name}"))
        tap = pool.tap(self.id, self)
        assert tap is not None
        self.tap = tap

    def offer(self) -> None:
        text = self.tap.next_offer()
        assert text is not None
        self._pool.execute(control.Offer(self.id, 1, text))
        self.tap.answered()

    def publish(self, kind: MediaKind) -> TrackId:
        track_id = TrackId(f"TR_{self.id}_{kind.value}")
        self._pool.execute(control.ExpectTrack(self.id, TrackSpec(track_id, kind, (track_id,))))
        self.tap.publish(track_id, kind)
        self.offer()
        return track_id

    def subscribe(self, track_id: TrackId, *, audios: int = 0, videos: int = 0) -> None:
        self.tap.require(audios, videos)
        self._pool.execute(control.Subscribe(self.id, track_id, "PA|TR"))
        self.offer()

    def media(self, packet: Tapped) -> None:
        self.packets.append(packet)

    def keyframe_wanted(self, cid: str) -> None:
        self.wishes.append(cid)

    def data(self, label: str, payload: bytes) -> None:
        self.messages.append((label, payload))

    def tap_closed(self) -> None:
        self.is_closed = True


class World:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.pool = LocalPool(CONFIG, self.events.append)
        self.pool.execute(control.OpenRouter(RouterId("RM")))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.pool.start()
    yield made
    await made.pool.close()


async def test_it_is_connected_at_once_and_stays_so(world: World) -> None:
    client = Client(world.pool, "one")
    await asyncio.sleep(0)
    assert world.events == [
        control.TransportConnected(client.id),
        *(control.ChannelOpened(client.id, label) for label in (RELIABLE, LOSSY, control.DATA_TRACK)),
    ]
    client.offer()
    await stays(
        lambda: not [e for e in world.events if isinstance(e, control.TransportFailed)],
        "connected",
        for_s=0.5,
    )
    assert not client.tap._transport._handshake


async def test_audio_passes_from_one_to_another(world: World) -> None:
    one, two = Client(world.pool, "one"), Client(world.pool, "two")
    track_id = one.publish(MediaKind.AUDIO)
    two.subscribe(track_id, audios=1)
    await eventually(lambda: control.TrackBound(two.id, track_id) in world.events)
    for number in range(3):
        one.tap.send(track_id, [b"opus%d" % number], 960 * number, level=20, first=not number)
    await eventually(lambda: len(two.packets) == 3)
    assert [packet.payload for packet in two.packets] == [b"opus0", b"opus1", b"opus2"]
    assert {packet.track_id for packet in two.packets} == {track_id}
    first, second, _ = two.packets
    assert second.sequence - first.sequence & 0xFFFF == 1
    assert second.timestamp - first.timestamp & 0xFFFFFFFF == 960
    assert one.packets == []


async def test_key_frames_are_asked_for(world: World) -> None:
    one, two = Client(world.pool, "one"), Client(world.pool, "two")
    track_id = one.publish(MediaKind.VIDEO)
    one.tap.send(track_id, [KEYFRAME], 0)
    two.subscribe(track_id, videos=1)
    await eventually(lambda: one.wishes == [track_id])
    one.tap.send(track_id, [DELTA], 3000)
    one.tap.send(track_id, [KEYFRAME], 6000)
    await eventually(lambda: len(two.packets) == 1)
    assert two.packets[0].marker

    def asked_again() -> bool:
        two.tap.ask_for_keyframe(track_id)  # too soon at first
        return len(one.wishes) == 2

    await eventually(asked_again)


async def test_data_goes_both_ways(world: World) -> None:
    client = Client(world.pool, "one")
    world.pool.execute(control.SendData((client.id,), RELIABLE, b"down"))
    client.tap.send_data(LOSSY, b"up")
    await eventually(lambda: client.messages == [(RELIABLE, b"down")])
    assert control.DataReceived(client.id, LOSSY, b"up") in world.events


async def test_after_the_end_nothing_happens(world: World) -> None:
    client = Client(world.pool, "one")
    track_id = client.publish(MediaKind.AUDIO)
    world.pool.execute(control.CloseTransport(client.id))
    await eventually(lambda: client.is_closed)
    client.tap.send(track_id, [b"opus"], 0)
    client.tap.send_data(RELIABLE, b"late")
    client.tap.ask_for_keyframe(track_id)
    await asyncio.sleep(0)
    assert not [event for event in world.events if isinstance(event, control.DataReceived)]
    assert not world.pool.engine.peers.taps


async def test_an_unknown_transport_has_no_tap(world: World) -> None:
    client = Client(world.pool, "one")
    assert world.pool.tap(TransportId("nobody"), client) is None


async def test_who_is_too_slow_loses_what_is_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap_module, "MAX_WAITING", 5)
    client = Client(world.pool, "one")
    for number in range(8):
        world.pool.execute(control.SendData((client.id,), RELIABLE, b"%d" % number))
    await eventually(lambda: len(client.messages) == 5)
    assert [payload for _, payload in client.messages] == [b"0", b"1", b"2", b"3", b"4"]
    assert world.pool.snapshot().lost[Loss.IN_PROCESS] == 3
