"""Hooks in the rooms: asked with what they need, obeyed, timed, and kept from harming anybody else."""

import asyncio
from collections.abc import Callable

import pytest
from livekit.protocol import models, rtc

from auth.grants import Claims, VideoGrant
from hubbub.hooks import DataAttempt, HookRunner, Hooks, JoinAttempt, PublishAttempt, Refuse
from hubbub.hooks.runner import FAILED, MAX_WAITING_PACKETS
from rooms.errors import NotAllowed
from rooms.join import JoinRequest
from sfu.control import SendData
from tests.harness.eventually import eventually
from tests.harness.rooms import House

HANG_S = 0.02


class Butler(Hooks):
    """Does what a test gives it for each."""

    def __init__(self, act: Callable[[object], object]) -> None:
        self._act = act
        self.asked: list[object] = []

    async def _ask(self, attempt: object) -> None:
        self.asked.append(attempt)
        result = self._act(attempt)
        if asyncio.iscoroutine(result):
            await result

    async def on_join(self, join: JoinAttempt) -> None:
        await self._ask(join)

    async def on_publish(self, publish: PublishAttempt) -> None:
        await self._ask(publish)

    async def on_data(self, data: DataAttempt) -> None:
        await self._ask(data)


def refuse(_: object) -> None:
    raise Refuse("not in my house")


def fail(_: object) -> None:
    raise KeyError("a secret of the hook")


async def hang(_: object) -> None:
    await asyncio.Event().wait()


REFUSALS = [(refuse, "not in my house"), (fail, FAILED), (hang, FAILED)]


def join_request() -> JoinRequest:
    video = VideoGrant(room_join=True, room="kitchen")
    return JoinRequest(
        Claims(issuer="devkey", identity="ann", name="Ann", video=video, attributes={"a": "1"}),
        client=models.ClientInfo(sdk=models.ClientInfo.JS, version="2.23.0", address="10.0.0.1"),
        attributes={"b": "2"},
    )


async def test_a_join_is_described() -> None:
    hooks = Butler(lambda _: None)
    await HookRunner(hooks, 1).join(join_request())
    (join,) = hooks.asked
    assert isinstance(join, JoinAttempt)
    assert (join.room, join.identity, join.name) == ("kitchen", "ann", "Ann")
    assert join.attributes == {"a": "1", "b": "2"}
    assert join.grants["roomJoin"] is True
    assert (join.client, join.address) == ("JS 2.23.0", "10.0.0.1")


@pytest.mark.parametrize(("act", "why"), REFUSALS)
async def test_a_join_is_refused(act: Callable[[object], object], why: str) -> None:
    with pytest.raises(NotAllowed, match=why):
        await HookRunner(Butler(act), HANG_S).join(join_request())


@pytest.mark.parametrize(("act", "why"), REFUSALS)
async def test_a_track_is_refused(act: Callable[[object], object], why: str) -> None:
    runner = HookRunner(Butler(act), HANG_S)
    ann = House(gate=runner).join("ann").connect()
    ann.add_track("mic", type=models.AUDIO)
    await eventually(lambda: "request_response" in ann.kinds())
    assert ann.last("request_response").reason == rtc.RequestResponse.NOT_ALLOWED
    assert ann.last("request_response").message == why


async def test_a_track_is_described_and_published() -> None:
    hooks = Butler(lambda _: None)
    ann = House(gate=HookRunner(hooks, 1)).join("ann").connect()
    codecs = [rtc.SimulcastCodec(codec="vp9", cid="camera")]
    ann.add_track(
        "camera", type=models.VIDEO, source=models.CAMERA, width=640, height=360, simulcast_codecs=codecs
    )
    await eventually(lambda: "track_published" in ann.kinds())
    (publish,) = hooks.asked
    assert publish == PublishAttempt("room", "ann", "video", "camera", "", 640, 360, "video/vp9")


def say(guest: object, text: bytes) -> None:
    packet = models.DataPacket(user=models.UserPacket(payload=text, topic="chat"))
    guest.send_data(packet.SerializeToString())  # type: ignore[attr-defined]


def heard(house: House) -> list[bytes]:
    return [models.DataPacket.FromString(c.payload).user.payload for c in house.media.of(SendData)]


async def test_data_keeps_its_order_however_long_each_decision_takes() -> None:
    delays = {b"slow": 0.02, b"quick": 0.0}

    async def think(attempt: object) -> None:
        assert isinstance(attempt, DataAttempt)
        await asyncio.sleep(delays[attempt.payload])

    house = House(gate=HookRunner(Butler(think), 1))
    ann, _ = house.pair("ann", "bob")
    say(ann, b"slow")
    say(ann, b"quick")
    await eventually(lambda: len(heard(house)) == 2)
    assert heard(house) == [b"slow", b"quick"]


async def test_a_hook_that_hangs_costs_only_what_it_was_asked_about() -> None:
    async def hang_on_one(attempt: object) -> None:
        if isinstance(attempt, DataAttempt) and attempt.payload == b"bad":
            await asyncio.Event().wait()

    house = House(gate=HookRunner(Butler(hang_on_one), HANG_S))
    ann, bob = house.pair("ann", "bob")
    say(ann, b"bad")
    say(ann, b"good")
    say(bob, b"mine")
    await eventually(lambda: len(heard(house)) == 2)
    assert heard(house) == [b"mine", b"good"]


async def test_data_is_described() -> None:
    hooks = Butler(lambda _: None)
    house = House(gate=HookRunner(hooks, 1))
    ann, _ = house.pair("ann", "bob")
    packet = models.DataPacket(
        user=models.UserPacket(payload=b"x", topic="chat"), destination_identities=["bob"]
    )
    ann.send_data(packet.SerializeToString())
    await eventually(lambda: hooks.asked)
    (data,) = hooks.asked
    assert isinstance(data, DataAttempt)
    assert (data.room, data.identity, data.kind, data.topic) == ("room", "ann", "user", "chat")
    assert (data.payload, data.reliable, data.destinations) == (b"x", True, ("bob",))


async def test_what_waits_is_bounded() -> None:
    house = House(gate=HookRunner(Butler(hang), 60))
    ann, _ = house.pair("ann", "bob")
    hooks = MAX_WAITING_PACKETS + 10
    for n in range(hooks):
        say(ann, b"%d" % n)
    await asyncio.sleep(0)
    gate = ann.session.context.gate
    assert isinstance(gate, HookRunner)
    assert len(gate._lines[ann.session].waiting) <= MAX_WAITING_PACKETS
    await gate.close()
    assert not gate._lines


async def test_hooks_that_ask_nothing_cost_nothing() -> None:
    house = House(gate=HookRunner(Hooks(), 1))
    ann, _ = house.pair("ann", "bob")
    say(ann, b"at once")
    assert heard(house) == [b"at once"]
